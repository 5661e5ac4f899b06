"""What comes up from the engine."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TypeAlias

from headgate._engine import (
    Accepted,
    Closed,
    Connected,
    HttpReceived,
    Malformed,
    PeerConnected,
    Received,
    StunReceived,
)

__all__ = ["CloseReason", "Event", "Handler"]

Event: TypeAlias = (
    Accepted | Connected | Received | HttpReceived | Malformed | StunReceived | PeerConnected | Closed
)

Handler = Callable[[Event], None]


class CloseReason(enum.IntEnum):
    """Why a connection or flow ended. The twin is `CloseReason` in crates/engine/src/event.rs."""

    REQUESTED = 1
    """`Engine.close`."""
    PEER = 2
    """The client closed or reset the connection."""
    READ_TIMEOUT = 3
    WRITE_TIMEOUT = 4
    OVERFLOW = 5
    """The client sent requests but did not take the answers."""
    TLS = 6
    """The TLS handshake or a record was bad."""
    STREAM_CLOSED = 7
    SHUTDOWN = 9
    FAULT = 10
    """A bug in the engine, which ended this session only, or a worker of it that stood still, and all that it
    had; either is logged to stderr."""
    CONNECT = 11
    """`Engine.connect`: nobody answered, or not in time. A certificate that is not believed is `TLS`."""
    JOINED = 12
    """`Engine.tunnel_http`: its socket is part of another connection from now on."""
    EXPIRED = 13
    """An allocation's lifetime was over (RFC 8656 5)."""
