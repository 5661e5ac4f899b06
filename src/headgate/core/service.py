"""A service is what a client connects to: a name, a protocol, listeners."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime

from msgspec import Struct

__all__ = ["Endpoint", "ListenerAddress", "Protocol", "Service"]


class Endpoint(Struct, frozen=True, gc=False):
    """One end of a connection. `host` is an IP literal without brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Protocol(enum.StrEnum):
    """What a service speaks; the value is the lower-case name that dialects print."""

    RTSP = "rtsp"
    RTSPS = "rtsps"
    ROOMS = "rooms"
    TURN = "turn"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerAddress:
    """One bound address of a service.

    `number` comes from the same counter as session numbers, because the `/v1`
    dialect lists listeners among the sessions (seed 003).
    """

    number: int
    endpoint: Endpoint
    transport: str
    """"TCP" or "UDP"; "TLS" or "DTLS" in the TURN wing."""
    opened: datetime


@dataclass(slots=True, kw_only=True)
class Service:
    """A service that runs. Its owner fills `listeners`; the registry counts its sessions."""

    name: str
    """What operators call it; no spaces."""
    protocol: Protocol
    router: str
    """What decides where a session leads: "paths" in the media wing, "relay" in the TURN wing."""
    started: datetime
    listeners: list[ListenerAddress] = field(default_factory=list)
    sessions: int = 0
    """Sessions open now."""
    total_sessions: int = 0
    """Sessions opened since the service started."""
