"""The opening handshake of WebSocket (RFC 6455 4.2), with RTSP inside as ONVIF wants it."""

from __future__ import annotations

import base64
import binascii
import hashlib
from http import HTTPStatus

from headgate.media.rtsp.http import HttpRefusal, HttpRequest, answer

__all__ = ["SUBPROTOCOL", "accept", "is_asked_for", "is_foreign"]

SUBPROTOCOL = "rtsp.onvif.org"
"""ONVIF Streaming Specification: the name under which RTSP travels in binary messages."""
VERSION = "13"
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 1.3
KEY_SIZE = 16
ANYONE = "*"


def is_asked_for(request: HttpRequest) -> bool:
    return "websocket" in (protocol.lower() for protocol in request.listed("Upgrade"))


def accept(request: HttpRequest) -> bytes:
    """The answer that agrees. Raises HttpRefusal. No extension is agreed on, so nothing is ever inflated."""
    # RFC 6455 4.2.1, in its order
    if request.method != "GET" or request.minor < 1 or request.header("Host") is None:
        raise _bad("a WebSocket begins with GET, HTTP/1.1 and Host")
    if "upgrade" not in (option.lower() for option in request.listed("Connection")):
        raise _bad("Upgrade without Connection: Upgrade")
    key = request.header("Sec-WebSocket-Key") or ""
    try:
        nonce = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        nonce = b""
    if len(nonce) != KEY_SIZE:
        raise _bad("Sec-WebSocket-Key is not 16 bytes in base64")
    if request.header("Sec-WebSocket-Version") != VERSION:
        raise HttpRefusal(
            HTTPStatus.UPGRADE_REQUIRED, "only version 13 is spoken", {"Sec-WebSocket-Version": VERSION}
        )
    if SUBPROTOCOL not in request.listed("Sec-WebSocket-Protocol"):
        raise _bad(f"the subprotocol must be {SUBPROTOCOL}")
    proof = hashlib.sha1(key.encode() + GUID, usedforsecurity=False).digest()
    return answer(
        HTTPStatus.SWITCHING_PROTOCOLS,
        {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Accept": base64.b64encode(proof).decode(),
            "Sec-WebSocket-Protocol": SUBPROTOCOL,
        },
    )


def is_foreign(request: HttpRequest, *, allow_origin: str) -> bool:
    """Whether a browser asks for a page that nobody has named. Raises HttpRefusal where such pages may not.

    Any page can open a WebSocket to anywhere, and its browser may stand where we let in everybody.
    No page comes from this port, so every one is another site's; `allow_origin` is the one that
    may use the operator's listener, or "*" (RFC 6455 10.2).
    """
    origin = request.header("Origin")
    if origin is None:
        return False
    if allow_origin == ANYONE:
        return True
    if origin.lower() != allow_origin.lower():
        raise HttpRefusal(HTTPStatus.FORBIDDEN, "a page of another site; see apiAllowOrigin")
    return False


def _bad(text: str) -> HttpRefusal:
    return HttpRefusal(HTTPStatus.BAD_REQUEST, text)
