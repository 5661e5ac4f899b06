"""F-22: while the event loop stands still, packets go on: they do not pass through it."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable

import pytest

from tests.media.conftest import Open
from tests.media.conftest import open_server as open_server
from tests.media.rtsp.live import Client, rtp

STALL = 0.3  # seconds, at least
PATIENCE = 10.0  # seconds; only a failing test waits so long
PACKETS = 20
INTERVAL = 0.01


class Feed(threading.Thread):
    """Publishes and reads on a thread of its own, while the loop of test and server is blocked."""

    def __init__(self, publisher: Client, reader: Client) -> None:
        super().__init__()
        self._publisher = _duplicate(publisher)
        self._reader = _duplicate(reader)
        self.go = threading.Event()
        self.received = 0

    def run(self) -> None:
        with self._publisher as publisher, self._reader as reader:
            self.go.wait(5)
            for number in range(PACKETS):
                packet = rtp(10 + number)
                publisher.sendall(b"$\0" + len(packet).to_bytes(2) + packet)
                while (head := _exactly(reader, 4))[1] != 0:
                    _exactly(reader, int.from_bytes(head[2:]))
                assert _exactly(reader, int.from_bytes(head[2:]))[12:] == packet[12:]
                self.received += 1
                time.sleep(INTERVAL)


def _duplicate(client: Client) -> socket.socket:
    """Its socket once more; asyncio reads no more from it."""
    transport = client._writer.transport
    transport.pause_reading()  # type: ignore[attr-defined]
    copy: socket.socket = transport.get_extra_info("socket").dup()
    copy.settimeout(5)
    return copy


def _exactly(source: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size:
        more = source.recv(size - len(content))
        assert more, "the server has closed"
        content += more
    return content


def busy_loop(is_over: Callable[[], bool]) -> None:
    while not is_over():
        pass


def blocked_loop(is_over: Callable[[], bool]) -> None:
    while not is_over():
        time.sleep(INTERVAL)


@pytest.mark.parametrize("stand_still", [busy_loop, blocked_loop])
async def test_a_reader_goes_on_receiving(
    open_server: Open, stand_still: Callable[[Callable[[], bool]], None]
) -> None:
    async with (
        open_server() as server,
        Client.connect(server) as publisher,
        Client.connect(server) as reader,
    ):
        assert (await publisher.publish()).status == 200
        assert (await reader.read()).status == 200
        publisher.frame(0, rtp(1))
        assert (await reader.packet())[1][12:] == rtp(1)[12:]
        feed = Feed(publisher, reader)
        feed.start()
        feed.go.set()
        began = time.monotonic()
        # The loop has no turn before all are through: each was sent on without it.
        stand_still(lambda: time.monotonic() - began > (STALL if feed.received == PACKETS else PATIENCE))
        received = feed.received
        async with asyncio.timeout(PATIENCE):
            await asyncio.to_thread(feed.join)
        assert received == PACKETS
        async with asyncio.timeout(PATIENCE):
            while server.watch.stalled_s < STALL / 3:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
