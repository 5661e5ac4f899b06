"""An RTSP client over a real socket, in the test's event loop."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from headgate.core.service import Endpoint
from headgate.media.rtsp.message import Response
from headgate.server import Server
from tests.media.rtsp.dialogue import SDP

__all__ = ["Client", "rtp"]

PATIENCE = 10.0  # seconds; only a failing test waits so long


class Client:
    """Answers and interleaved packets in the order in which they came."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, base: str) -> None:
        self._reader = reader
        self._writer = writer
        self.base = base
        self.session = ""
        self._cseq = itertools.count(1)

    @classmethod
    @asynccontextmanager
    async def connect(cls, server: Server, *, service: str = "RTSP") -> AsyncIterator[Self]:
        endpoint = server.registry.service(service).listeners[0].endpoint
        reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
        try:
            yield cls(reader, writer, base=f"rtsp://{endpoint}")
        finally:
            writer.close()

    @property
    def address(self) -> Endpoint:
        return Endpoint(*self._writer.get_extra_info("sockname"))

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    def frame(self, channel: int, packet: bytes) -> None:
        self.send(b"$" + bytes([channel]) + len(packet).to_bytes(2) + packet)

    async def receive(self) -> Response | tuple[int, bytes]:
        """An answer, or an interleaved packet with its channel. Raises IncompleteReadError at the end."""
        async with asyncio.timeout(PATIENCE):
            first = await self._reader.readexactly(1)
            if first == b"$":
                head = await self._reader.readexactly(3)
                return head[0], await self._reader.readexactly(int.from_bytes(head[1:]))
            text = first + await self._reader.readuntil(b"\r\n\r\n")
            sizes = [line for line in text.split(b"\r\n") if line.startswith(b"Content-Length:")]
            size = int(sizes[0].partition(b":")[2]) if sizes else 0
            return Response.parse(text + await self._reader.readexactly(size))

    async def ask(self, method: str, path: str = "cam", *headers: str, body: bytes = b"") -> Response:
        """Send a request and take its answer; packets that come before are passed over."""
        session = [f"Session: {self.session}"] if self.session else []
        lines = [f"{method} {self.base}/{path} RTSP/1.0", f"CSeq: {next(self._cseq)}", *session, *headers]
        if body:
            lines += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
        self.send("\r\n".join([*lines, "", ""]).encode() + body)
        while not isinstance(answer := await self.receive(), Response):
            pass
        self.session = (answer.header("Session") or self.session).partition(";")[0]
        return answer

    async def packet(self) -> tuple[int, bytes]:
        """The next interleaved RTP packet, with its channel; RTCP goes on odd ones here."""
        while isinstance(received := await self.receive(), Response) or received[0] % 2:
            pass
        return received

    async def ended(self) -> None:
        """Wait until the server closes the connection."""
        async with asyncio.timeout(PATIENCE):
            try:
                while await self._reader.read(65536):
                    pass
            except ConnectionResetError:
                pass

    # Whole steps

    async def publish(self, path: str = "cam", *, ports: list[int] | None = None) -> Response:
        """ANNOUNCE, SETUP of both tracks of `SDP`, RECORD. `ports`: an RTP port for each track, over UDP."""
        assert (await self.ask("ANNOUNCE", path, body=SDP)).status == 200
        for track in range(2):
            transport = f"RTP/AVP;unicast;client_port={ports[track]}" if ports else "RTP/AVP/TCP;unicast"
            answer = await self.ask(
                "SETUP", f"{path}/streamid={track}", f"Transport: {transport};mode=record"
            )
            assert answer.status == 200
        return await self.ask("RECORD", path)

    async def read(self, path: str = "cam", *, transport: str = "RTP/AVP/TCP;unicast") -> Response:
        """SETUP of the first track, PLAY."""
        answer = await self.ask("SETUP", f"{path}/trackID=0", f"Transport: {transport}")
        if answer.status != 200:
            return answer
        return await self.ask("PLAY", path)


def rtp(sequence: int, *, payload_type: int = 96, payload: bytes = b"\x65key") -> bytes:
    """An RTP packet that ends a unit; by default an H.264 key frame."""
    head = bytes([0x80, 0x80 | payload_type]) + sequence.to_bytes(2) + (sequence * 3000).to_bytes(4)
    return head + b"SSRC" + payload
