"""What carries a connection's protocol beside TCP and TLS."""

from __future__ import annotations

import enum

__all__ = ["Tunnel"]


class Tunnel(enum.StrEnum):
    """The values are those of `/v3`."""

    NONE = "none"
    HTTP = "http"
    WEBSOCKET = "websocket"
