"""Connections of RTSP: those that listeners take, those that we make, and bytes that are none of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from msgspec import Struct

from headgate.engine.tls import ClientTls, Tls

__all__ = ["Connect", "Listen", "Refusal"]


class Refusal(enum.IntEnum):
    """Why a connection's bytes were not a message. The twin is `Refusal` in crates/engine/src/rtsp.rs."""

    HEAD_TOO_LARGE = 1
    BODY_TOO_LARGE = 2
    BAD_CONTENT_LENGTH = 3
    NOT_RTSP = 4
    BAD_FRAME = 5
    """Of a tunnel in WebSocket: nothing that a client may send."""
    FRAME_TOO_LARGE = 6
    """A message of more than 1 MiB, or in more than 1,024 frames."""
    BAD_BASE64 = 7
    """Of a tunnel in HTTP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """A TCP listener for RTSP. Sizes in bytes, times in seconds."""

    host: str
    """An IP literal; "::" takes IPv4 as well."""
    port: int
    """0: any free one."""
    tls: Tls | None = None
    head_size: int = 16 * 1024
    body_size: int = 128 * 1024
    read_timeout: float = 10.0
    """A connection that completed no message or frame for so long is closed, unless a reader or a UDP flow
    is attached to it."""
    write_timeout: float = 10.0
    """A connection whose socket took nothing for so long, though bytes waited, is closed."""
    connection_limit: int = 20_000
    beside: int | None = None
    """The listener that is to be closed next, where this one has its port at an address that overlaps."""


class Connect(Struct, frozen=True, kw_only=True):
    """A TCP connection to an RTSP server. Sizes in bytes, times in seconds."""

    host: str
    """An IP literal."""
    port: int
    tls: ClientTls | None = None
    head_size: int = 16 * 1024
    body_size: int = 128 * 1024
    read_timeout: float = 10.0
    """As for `Listen`; it also bounds the time in which the connection must stand."""
    write_timeout: float = 10.0
