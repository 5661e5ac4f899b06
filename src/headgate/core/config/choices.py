"""The closed sets of words a configuration may use (media.md 2.3)."""

from __future__ import annotations

import enum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

__all__ = [
    "AuthAction",
    "AuthMethod",
    "Choice",
    "Encryption",
    "EventType",
    "HlsVariant",
    "LogDestination",
    "LogDestinations",
    "LogFormat",
    "LogLevel",
    "PullTransport",
    "RecordFormat",
    "RtspAuthMethod",
    "RtspAuthMethods",
    "RtspRangeType",
    "RtspTransport",
    "RtspTransports",
]


class Choice(enum.StrEnum):
    """One word of a closed set. `__complaint__` is what MediaMTX says of any other word."""

    __complaint__ = "invalid value '{}'"

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raises ValueError, naming the words it would have taken."""
        for member in cls:
            if value == member.value:
                return member
        words = ", ".join(member.value or '""' for member in cls)
        raise ValueError(f"{cls.__complaint__.format(str(value)[:64])} (one of {words})")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(cls.parse, handler(source))


class LogLevel(Choice):
    __complaint__ = "invalid log level: '{}'"
    ERROR = "error"
    WARN = "warn"
    INFO = "info"
    DEBUG = "debug"


class LogDestination(Choice):
    __complaint__ = "invalid log destination: '{}'"
    STDOUT = "stdout"
    FILE = "file"
    SYSLOG = "syslog"


class LogFormat(Choice):
    __complaint__ = "invalid log format: '{}'"
    TEXT = "text"
    JSON = "json"


class EventType(Choice):
    """What a webhook may ask for; the types in core/events.py."""

    __complaint__ = "invalid event: '{}'"
    SERVICE_STARTED = "service.started"
    SERVICE_MOVED = "service.moved"
    SERVICE_STOPPED = "service.stopped"
    CONFIGURATION_CHANGED = "configuration.changed"
    CONFIGURATION_REFUSED = "configuration.refused"
    CERTIFICATE_RENEWED = "certificate.renewed"
    CERTIFICATE_REFUSED = "certificate.refused"
    CONNECTION_OPENED = "connection.opened"
    CONNECTION_CLOSED = "connection.closed"
    SESSION_OPENED = "session.opened"
    SESSION_CHANGED = "session.changed"
    SESSION_CLOSED = "session.closed"
    PATH_READY = "path.ready"
    PATH_NOT_READY = "path.notReady"
    RELAY_ALLOCATED = "relay.allocated"
    RELAY_CHANNEL_BOUND = "relay.channelBound"
    RELAY_PERMITTED = "relay.permitted"
    RELAY_REFRESHED = "relay.refreshed"
    RELAY_PEER_DENIED = "relay.peerDenied"
    RELAY_CLOSED = "relay.closed"


class Encryption(Choice):
    __complaint__ = "invalid encryption: '{}'"
    NO = "no"
    OPTIONAL = "optional"
    STRICT = "strict"

    @classmethod
    def parse(cls, value: object) -> Self:
        """Takes yes and no in YAML's spellings as well, for strict and no."""
        if value is False or value == "false":
            value = "no"
        elif value is True or value in {"true", "yes"}:
            value = "strict"
        return super().parse(value)


class AuthMethod(Choice):
    __complaint__ = "invalid authMethod: '{}'"
    INTERNAL = "internal"
    HTTP = "http"
    JWT = "jwt"


class AuthAction(Choice):
    __complaint__ = "invalid auth action: '{}'"
    PUBLISH = "publish"
    READ = "read"
    PLAYBACK = "playback"
    API = "api"
    METRICS = "metrics"
    PPROF = "pprof"
    RELAY = "relay"
    """Ours: to have credentials of the TURN relay made for oneself."""


class RtspTransport(Choice):
    """How readers and publishers may carry RTP."""

    __complaint__ = "invalid transport '{}'"
    MULTICAST = "multicast"
    TCP = "tcp"
    UDP = "udp"


class PullTransport(Choice):
    """How a path's RTSP source is asked to carry RTP."""

    __complaint__ = "invalid transport '{}'"
    AUTOMATIC = "automatic"
    UDP = "udp"
    MULTICAST = "multicast"
    TCP = "tcp"


class RtspAuthMethod(Choice):
    __complaint__ = "invalid authentication method: '{}'"
    BASIC = "basic"
    DIGEST = "digest"


class RtspRangeType(Choice):
    __complaint__ = "invalid RTSP range type: '{}'"
    NONE = ""
    CLOCK = "clock"
    NPT = "npt"
    SMPTE = "smpte"


class HlsVariant(Choice):
    __complaint__ = "invalid HLS variant: '{}'"
    MPEGTS = "mpegts"
    FMP4 = "fmp4"
    LOW_LATENCY = "lowLatency"


class RecordFormat(Choice):
    __complaint__ = "invalid record format '{}'"
    FMP4 = "fmp4"
    MPEGTS = "mpegts"


def _ordered(words: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(sorted(set(words)))


def _no_twins(words: tuple[LogDestination, ...]) -> tuple[LogDestination, ...]:
    if len(set(words)) < len(words):
        raise ValueError("log destination set twice")
    return words


LogDestinations = Annotated[tuple[LogDestination, ...], AfterValidator(_no_twins)]
RtspTransports = Annotated[tuple[RtspTransport, ...], AfterValidator(_ordered)]
RtspAuthMethods = Annotated[tuple[RtspAuthMethod, ...], AfterValidator(_ordered)]
