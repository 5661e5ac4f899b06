"""The live client, inside of a tunnel."""

from __future__ import annotations

import asyncio
import base64
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.frames import Frame, Opcode
from websockets.http11 import Response as Answer
from websockets.typing import Origin, Subprotocol
from websockets.uri import parse_uri

from headgate.server import Server
from tests.media.rtsp.live import PATIENCE, Client

__all__ = ["Posted", "get", "in_http", "in_websocket", "post", "raw", "talk"]

COOKIES = itertools.count(1)


class Posted:
    """Writes base64 in pieces of odd sizes, each message padded by itself as FFmpeg does."""

    def __init__(self, writer: asyncio.StreamWriter, down: asyncio.StreamWriter) -> None:
        self.writer = writer
        self._down = down

    def write(self, data: bytes) -> None:
        text = base64.b64encode(data)
        for at in range(0, len(text), 7):
            self.writer.write(text[at : at + 7])

    def get_extra_info(self, name: str) -> object:
        return self._down.get_extra_info(name)

    def close(self) -> None:
        self.writer.close()
        self._down.close()


class Framed:
    """Both halves of a WebSocket whose frames are another library's."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, protocol: ClientProtocol
    ) -> None:
        self._reader = reader
        self._writer = writer
        self.protocol = protocol
        self.frames: list[Frame] = []
        """As they came, control frames too."""
        self._plain = bytearray()
        self.largest_write = 1 << 16

    def write(self, data: bytes) -> None:
        for at in range(0, len(data), self.largest_write):
            self.protocol.send_binary(data[at : at + self.largest_write])
        self.flush()

    def flush(self) -> None:
        for data in self.protocol.data_to_send():
            self._writer.write(data)

    async def more(self) -> bool:
        """Wait for bytes. Whether there are any."""
        data = await self._reader.read(65536)
        if not data:
            return False
        self.protocol.receive_data(data)
        for event in self.protocol.events_received():
            assert isinstance(event, Frame)
            self.frames.append(event)
            if event.opcode is Opcode.BINARY:
                self._plain += event.data
        self.flush()
        return True

    async def readexactly(self, size: int) -> bytes:
        while len(self._plain) < size:
            if not await self.more():
                raise asyncio.IncompleteReadError(bytes(self._plain), size)
        data, self._plain = bytes(self._plain[:size]), self._plain[size:]
        return data

    async def readuntil(self, mark: bytes) -> bytes:
        while (at := self._plain.find(mark)) < 0:
            if not await self.more():
                raise asyncio.IncompleteReadError(bytes(self._plain), None)
        return await self.readexactly(at + len(mark))

    async def read(self, size: int) -> bytes:
        if not self._plain and not await self.more():
            return b""
        return await self.readexactly(min(size, len(self._plain))) or b"\0"  # a control frame is not the end

    def get_extra_info(self, name: str) -> object:
        return self._writer.get_extra_info(name)

    def close(self) -> None:
        self._writer.close()


def get(cookie: str, *headers: str) -> bytes:
    lines = ["GET /cam HTTP/1.0", f"x-sessioncookie: {cookie}", "Accept: application/x-rtsp-tunnelled"]
    return "\r\n".join([*lines, *headers, "", ""]).encode()


def post(cookie: str, *headers: str) -> bytes:
    lines = ["POST /cam HTTP/1.0", f"x-sessioncookie: {cookie}", "Content-Length: 32767"]
    return "\r\n".join([*lines, *headers, "", ""]).encode()


@asynccontextmanager
async def raw(
    server: Server, *, service: str = "RTSP"
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    endpoint = server.registry.service(service).listeners[0].endpoint
    reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def talk(server: Server, head: bytes) -> tuple[int, bytes]:
    """Status and everything else of the answer to a request, behind which the server closes."""
    async with raw(server) as (reader, writer), asyncio.timeout(PATIENCE):
        writer.write(head)
        answer = await reader.read()
        return int(answer.split(b" ", 2)[1]), answer


@asynccontextmanager
async def in_http(server: Server, *, cookie: str | None = None) -> AsyncIterator[Client]:
    cookie = cookie or f"cookie-{next(COOKIES)}"
    async with raw(server) as (reader, down), raw(server) as (_, up), asyncio.timeout(PATIENCE):
        down.write(get(cookie))
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"Content-Type: application/x-rtsp-tunnelled\r\n" in answer
        up.write(post(cookie))
        yield Client(reader, Posted(up, down), base="rtsp://h")


@asynccontextmanager
async def in_websocket(
    server: Server,
    *,
    origin: str | None = None,
    subprotocols: Sequence[str] = ("rtsp.onvif.org",),
) -> AsyncIterator[tuple[Client, Framed]]:
    """The client, and its frames. Raises `websockets.InvalidHandshake`."""
    async with raw(server) as (reader, writer), asyncio.timeout(PATIENCE):
        host, port = writer.get_extra_info("peername")
        protocol = ClientProtocol(
            parse_uri(f"ws://{host}:{port}/any"),
            origin=None if origin is None else Origin(origin),
            subprotocols=[Subprotocol(name) for name in subprotocols],
        )
        protocol.send_request(protocol.connect())
        framed = Framed(reader, writer, protocol)
        framed.flush()
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101 "):
            head += await reader.read()
        protocol.receive_data(head)
        [answer] = protocol.events_received()
        assert isinstance(answer, Answer)
        assert isinstance(answer.headers, Headers)
        if protocol.handshake_exc is not None:
            raise protocol.handshake_exc
        yield Client(framed, framed, base="rtsp://h"), framed
