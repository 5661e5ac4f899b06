"""What a pull says to the server that it fetches from, on the wire between two servers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from headgate.media.rtsp import pull
from headgate.server import Server
from tests.media.conftest import Open
from tests.media.rtsp.live import PATIENCE, Client


class Wire:
    """Passes a connection on, and keeps what its client says."""

    def __init__(self, server: Server) -> None:
        self._there = server.registry.service("RTSP").listeners[0].endpoint
        self._said = bytearray()
        self._more = asyncio.Condition()
        self.port = 0

    @classmethod
    @asynccontextmanager
    async def to(cls, server: Server) -> AsyncIterator[Wire]:
        wire = cls(server)
        async with await asyncio.start_server(wire._accept, "127.0.0.1", 0) as listener:
            wire.port = listener.sockets[0].getsockname()[1]
            yield wire
            listener.close()

    @property
    def has_heard_anything(self) -> bool:
        return bool(self._said)

    async def says(self, method: str) -> str:
        """The head of its first request of this method."""
        pattern = re.compile(rb"(?:^|\n)(" + method.encode() + rb" .*?\r\n\r\n)", re.DOTALL)
        async with asyncio.timeout(PATIENCE), self._more:
            await self._more.wait_for(lambda: pattern.search(self._said))
        found = pattern.search(self._said)
        assert found
        return found[1].decode()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, here = await asyncio.open_connection(self._there.host, self._there.port)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pass(reader, here, keep=True))
            group.create_task(self._pass(there, writer, keep=False))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, keep: bool) -> None:
        try:
            while data := await reader.read(65536):
                if keep:
                    async with self._more:
                        self._said += data
                        self._more.notify_all()
                writer.write(data)
        except ConnectionResetError:
            pass
        writer.close()


@pytest.mark.parametrize(
    ("conf", "expected"),
    [
        ({}, "npt=0-"),
        ({"rtsp_range_type": "npt", "rtsp_range_start": "1m30s"}, "npt=90-"),
        (
            {"rtsp_range_type": "clock", "rtsp_range_start": "20251121T100000Z"},
            "clock=20251121T100000Z-",
        ),
    ],
)
async def test_it_begins_where_it_is_told_to(
    open_server: Open, conf: dict[str, object], expected: str
) -> None:
    async with open_server() as first, Client.connect(first) as publisher, Wire.to(first) as wire:
        await publisher.publish()
        source = {"source": f"rtsp://127.0.0.1:{wire.port}/cam", "rtsp_transport": "tcp", **conf}
        async with open_server(paths={"cam": source}):
            assert f"\r\nRange: {expected}\r\n" in await wire.says("PLAY")


async def test_the_last_descriptors_are_for_others(
    open_server: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what an expression fetches on demand clients choose how much; other sources are the operator's."""
    monkeypatch.setattr(pull, "are_spare", lambda: False)
    async with open_server() as first, Client.connect(first) as publisher, Wire.to(first) as wire:
        await publisher.publish()
        there = f"rtsp://127.0.0.1:{wire.port}/cam"
        asked = {"source": there, "source_on_demand": True, "source_on_demand_start_timeout": 0.2}
        async with open_server(paths={"~^any": asked}) as second, Client.connect(second) as reader:
            assert (await reader.ask("DESCRIBE", "any1")).status == 404
            assert not wire.has_heard_anything
        async with open_server(paths={"cam": {"source": there}}):
            assert await wire.says("DESCRIBE")
