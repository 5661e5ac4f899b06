"""A client that costs as little as can be: it may not be what is measured."""

import asyncio
import json
from collections.abc import Callable
from typing import cast

__all__ = ["Client", "frame"]

REQUEST = (
    b"GET /ws HTTP/1.1\r\nHost: rooms\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
PONG = b"\x8a\x80\0\0\0\0"
PING = 0x89


def frame(document: str) -> bytes:
    """With a mask of zeroes, which costs a server as much as any other."""
    text = document.encode()
    if len(text) < 126:
        return bytes((0x81, 0x80 | len(text))) + b"\0\0\0\0" + text
    return b"\x81\xfe" + len(text).to_bytes(2, "big") + b"\0\0\0\0" + text


class Client(asyncio.Protocol):
    """`heard` is called with each message."""

    def __init__(self) -> None:
        self.id = ""
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.heard: Callable[[bytes], None] = self._greeted
        self._buffer = b""
        self._open = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass
        self._transport.write(REQUEST)

    def send(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data
        at = 0
        if not self._open:
            at = buffer.find(b"\r\n\r\n") + 4
            if at < 4:
                self._buffer = buffer
                return
            self._open = True
        while len(buffer) - at >= 2:
            size, head = buffer[at + 1], 2
            if size >= 126:
                head = 4 if size == 126 else 10
                size = int.from_bytes(buffer[at + 2 : at + head], "big")
            if len(buffer) - at < head + size:
                break
            if buffer[at] == PING:
                self.send(PONG)
            else:
                self.heard(buffer[at + head : at + head + size])
            at += head + size
        self._buffer = buffer[at:]

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(ConnectionResetError("the server closed the connection"))

    def _greeted(self, text: bytes) -> None:
        self.id = json.loads(text)["Data"]["Id"]
        self.ready.set_result(None)
