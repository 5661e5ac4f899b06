"""Which keys have an effect in this version.

The model holds every key of the contract; the server does not serve them all yet.
A key moves into the tables of effective keys in the change that builds it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from headgate.core.config.configuration import Configuration
from headgate.core.config.draft import Location
from headgate.core.config.global_conf import GlobalConf
from headgate.core.config.path_conf import PUBLISHER, REDIRECT, PathConf
from headgate.core.config.section import Section
from headgate.core.config.turn_conf import TurnConf, TurnTransport

__all__ = [
    "EFFECTIVE_GLOBAL",
    "EFFECTIVE_PATH",
    "EFFECTIVE_TURN",
    "FETCHED",
    "Remark",
    "ineffective",
    "unsafe",
]

EFFECTIVE_GLOBAL = frozenset(
    {
        "logLevel",
        "logDestinations",
        "logFile",
        "sysLogPrefix",
        "readTimeout",
        "writeTimeout",
        "writeQueueSize",
        "udpMaxPayloadSize",
        "authMethod",
        "authInternalUsers",
        "authHTTPAddress",
        "authHTTPExclude",
        "authJWTJWKS",
        "authJWTJWKSFingerprint",
        "authJWTClaimKey",
        "authJWTAudience",
        "authJWTExclude",
        "authJWTInHTTPQuery",
        "runOnConnect",
        "runOnConnectRestart",
        "runOnDisconnect",
        "api",
        "apiAddress",
        "apiAllowOrigin",
        "apiTrustedProxies",
        "metrics",
        "metricsAddress",
        "metricsAllowOrigin",
        "metricsTrustedProxies",
        "rtsp",
        "rtspTransports",
        "rtspEncryption",
        "rtspAddress",
        "rtspsAddress",
        "rtpAddress",
        "rtcpAddress",
        "multicastIPRange",
        "multicastRTPPort",
        "multicastRTCPPort",
        "rtspServerKey",
        "rtspServerCert",
        "rtspAuthMethods",
    }
)
EFFECTIVE_PATH = frozenset(
    {
        "name",
        "source",
        "sourceFingerprint",
        "sourceOnDemand",
        "sourceOnDemandStartTimeout",
        "sourceOnDemandCloseAfter",
        "sourceRedirect",
        "maxReaders",
        "fallback",
        "overridePublisher",
        "publisherGracePeriod",
        "rtspTransport",
        "rtspAnyPort",
        "rtspRangeType",
        "rtspRangeStart",
        "runOnInit",
        "runOnInitRestart",
        "runOnDemand",
        "runOnDemandRestart",
        "runOnDemandStartTimeout",
        "runOnDemandCloseAfter",
        "runOnUnDemand",
        "runOnReady",
        "runOnReadyRestart",
        "runOnNotReady",
        "runOnRead",
        "runOnReadRestart",
        "runOnUnread",
    }
)
UNBUILT_TURN = {"mobility": "moving allocations", "tcpRelay": "relaying TCP"}
EFFECTIVE_TURN = TurnConf.names().keys() - UNBUILT_TURN
FETCHED = ("rtsp://", "rtsps://")
"""How the URLs begin that a path's source can have in this version."""

OPEN = "is set, but SRT is not built yet; headgate refuses to let anybody think that it protects"
CLEAR = "is set, but HTTPS is not built yet; headgate refuses to answer operators in the clear"
UNSAFE_GLOBAL = {
    "apiEncryption": CLEAR,
    "metricsEncryption": CLEAR,
}
UNSAFE_PATH = {"srtReadPassphrase": OPEN, "srtPublishPassphrase": OPEN}

# What is missing, by how the key begins; the first that fits.
MISSING = (
    ("hls", "HLS"),
    ("rtmp", "RTMP"),
    ("srt", "SRT"),
    ("webrtc", "WebRTC"),
    ("playback", "playback of recordings"),
    ("pprof", "run-time profiles"),
    ("record", "recording"),
    ("runOnRecord", "recording"),
    ("rpiCamera", "the Raspberry Pi camera"),
    ("source", "pulling over that protocol"),
    ("api", "TLS on the operator's listener"),
    ("metrics", "TLS on the metrics listener"),
)
# Services that are not built: nobody misses them who has switched them off.
UNBUILT_SERVICES = ("hls", "rtmp", "srt", "webrtc", "playback", "pprof")


class Remark(NamedTuple):
    location: Location
    text: str


def unsafe(configuration: Configuration) -> list[Remark]:
    """Keys whose user believes to be protected by them, and is not. The server must not run with one.

    Looks at these keys only: there may be thousands of paths, and each change of the path defaults asks.
    """
    return [*_unsafe_global(configuration.global_), *_unsafe_paths(configuration)]


def ineffective(configuration: Configuration) -> list[Remark]:
    """Keys that ask for something this version does not do."""
    return [
        *_global_remarks(configuration.global_),
        *_turn_remarks(configuration.own.turn),
        *_path_remarks(configuration),
    ]


def _unsafe_global(conf: GlobalConf) -> Iterator[Remark]:
    default, names = GlobalConf(), GlobalConf.names()
    for key, text in UNSAFE_GLOBAL.items():
        if getattr(conf, names[key]) != getattr(default, names[key]):
            yield Remark((key,), text)


def _unsafe_paths(configuration: Configuration) -> Iterator[Remark]:
    default, defaults, names = PathConf(), configuration.path_defaults, PathConf.names()
    for key, text in UNSAFE_PATH.items():
        name = names[key]
        harmless = {getattr(default, name), getattr(defaults, name)}
        if len(harmless) > 1:
            yield Remark(("pathDefaults", key), text)
        for path, conf in configuration.paths.items():
            if getattr(conf, name) not in harmless:
                yield Remark(("paths", path, key), text)


def _global_remarks(conf: GlobalConf) -> Iterator[Remark]:
    off = tuple(service for service in UNBUILT_SERVICES if not getattr(conf, service))
    # Most are on by default: who only leaves them so asks for nothing, who writes it down does.
    asked = [service for service in UNBUILT_SERVICES if service in conf.model_fields_set]
    for key in dict.fromkeys([*asked, *_changed(conf, GlobalConf())]):
        if key not in EFFECTIVE_GLOBAL and key not in UNSAFE_GLOBAL and not key.startswith(off):
            yield Remark((key,), _missing(key))


def _turn_remarks(conf: TurnConf) -> Iterator[Remark]:
    for key in _changed(conf, TurnConf()):
        if what := UNBUILT_TURN.get(key):
            yield Remark(("turn", key), f"has no effect yet ({what} is not built)")
    for index, interface in enumerate(conf.interfaces):
        if interface.transport is TurnTransport.DTLS:
            yield Remark(("turn", "interfaces", index), "has no effect yet (DTLS is not built)")


def _path_remarks(configuration: Configuration) -> Iterator[Remark]:
    for conf, location, key in _changed_paths(configuration):
        if key == "source" and not conf.source.startswith((PUBLISHER, REDIRECT, *FETCHED)):
            yield Remark(location, f"{_missing(key)}; the path stays empty")
        elif key not in EFFECTIVE_PATH and key not in UNSAFE_PATH:
            yield Remark(location, _missing(key))


def _changed(section: Section, default: Section) -> list[str]:
    """The keys whose values differ from the default's."""
    if section == default:
        return []
    return [key for key, name in section.names().items() if getattr(section, name) != getattr(default, name)]


def _changed_paths(configuration: Configuration) -> Iterator[tuple[PathConf, Location, str]]:
    """Each changed key once: where the path defaults have it already, not at every path again."""
    default = PathConf()
    for key in _changed(configuration.path_defaults, default):
        yield configuration.path_defaults, ("pathDefaults", key), key
    for name, conf in configuration.paths.items():
        from_defaults = configuration.path_defaults.model_copy(update={"name": name})
        own = set(_changed(conf, from_defaults))
        if own:
            for key in _changed(conf, default):
                if key in own:
                    yield conf, ("paths", name, key), key


def _missing(key: str) -> str:
    what = next((what for prefix, what in MISSING if key.startswith(prefix)), None)
    return f"has no effect yet ({what} is not built)" if what else "has no effect yet"
