"""The opening handshake, RFC 6455 section 4.2."""

from __future__ import annotations

import base64
import binascii
import hashlib

from starlette.datastructures import Headers

__all__ = ["BadHandshake", "accept"]

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
VERSION = "13"


class BadHandshake(Exception):
    """The request does not ask for a WebSocket as the RFC says; `status` answers it."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def accept(headers: Headers) -> bytes:
    """The whole answer that switches protocols. Raises BadHandshake.

    No extension is taken, so there is no permessage-deflate and nothing to inflate.
    """
    version = headers.getlist("sec-websocket-version")
    if version != [VERSION]:
        raise BadHandshake(426, "only version 13 of WebSocket is spoken")
    keys = headers.getlist("sec-websocket-key")
    try:
        if len(keys) != 1 or len(base64.b64decode(keys[0], validate=True)) != 16:
            raise BadHandshake(400, "Bad Request")
    except (binascii.Error, ValueError):
        raise BadHandshake(400, "Bad Request") from None
    digest = hashlib.sha1(keys[0].encode() + GUID, usedforsecurity=False).digest()
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )
