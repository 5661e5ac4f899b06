"""Clients on real sockets that do not mean well."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator, Iterator

import pytest
import uvicorn

from headgate.api import http_connection
from headgate.api.http_connection import HttpConnection
from headgate.core.events import PathNotReady
from tests.api.house import House

PATIENCE = 10.0  # seconds; only a failing test waits so long
SHORT = 0.05  # seconds: what a head may take, in tests that see it taking longer
GET = b"GET /v1/services HTTP/1.1\r\nHost: gate.example\r\n\r\n"

Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # they are the test runner's


@pytest.fixture
async def port(house: House) -> AsyncIterator[int]:
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(house.app, http=HttpConnection, ws="none", lifespan="off", log_config=None)
    server = Server(config)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve(sockets=[listening]))
        yield listening.getsockname()[1]
        house.bus.close()
        server.should_exit = True
    listening.close()


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def answered(client: Client) -> bool:
    """Whether an ordinary request gets its answer."""
    reader, writer = client
    writer.write(GET)
    head = await reader.readuntil(b"\r\n\r\n")
    size = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length: "))
    await reader.readexactly(int(size.split()[1]))
    return head.startswith(b"HTTP/1.1 200 ")


async def ended(client: Client) -> bool:
    """Wait until the server closes the connection; False when it says something instead."""
    try:
        return await client[0].read(1) == b""
    except ConnectionResetError:
        return True


async def test_requests_are_answered_in_order(port: int) -> None:
    async with connected(port) as client:
        assert await answered(client)
        client[1].write(GET + b"GET /v1/sessions/99 HTTP/1.1\r\nHost: gate.example\r\n\r\n" + GET)
        text = b""
        while text.count(b'"links"') < 4:  # a collection and its one service, twice
            text += await client[0].read(65536)
        assert re.findall(rb"HTTP/1.1 (\d+)", text) == [b"200", b"404", b"200"]


@pytest.mark.parametrize("start", [b"GET /", b"GET / HTTP/1.1\r\nX: ", b"GET / HTTP/1.1\r\n"])
async def test_a_head_without_end(port: int, start: bytes) -> None:
    async with connected(port) as client:
        client[1].write(start + (b"x: y\r\n" if start.endswith(b"\n") else b"aaaaaa") * 10_000)
        assert (await client[0].readline()).startswith(b"HTTP/1.1 400 ")
        await client[0].readuntil(b"\r\n\r\n")
    async with connected(port) as client:
        assert await answered(client)


async def test_bytes_that_are_not_http(port: int) -> None:
    async with connected(port) as client:
        client[1].write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        assert (await client[0].readline()).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("start", [b"", b"GET / HTTP/1.1\r\nHost: "])
async def test_a_head_that_never_comes(port: int, monkeypatch: pytest.MonkeyPatch, start: bytes) -> None:
    monkeypatch.setattr(http_connection, "HEAD_TIMEOUT", SHORT)
    async with connected(port) as client:
        client[1].write(start)
        assert await ended(client)


async def test_a_second_head_that_never_comes(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connection, "HEAD_TIMEOUT", SHORT)
    async with connected(port) as client:
        assert await answered(client)
        client[1].write(b"GET / HTTP/1.1\r\n")
        assert await ended(client)


async def test_a_long_answer_has_all_the_time(
    house: House, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_connection, "HEAD_TIMEOUT", SHORT)
    async with connected(port) as watcher, connected(port) as silent:
        watcher[1].write(b"GET /events HTTP/1.1\r\nHost: gate.example\r\n\r\n")
        await watcher[0].readuntil(b"retry: 2000\n\n")
        assert await ended(silent)  # so the time of a head is over for both
        house.bus.publish(PathNotReady(path="cam"))
        assert b"path.notReady" in await watcher[0].readuntil(b"event: path.notReady\n")


async def test_too_many_at_a_time(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connection, "CONNECTION_LIMIT", 2)
    async with connected(port) as first, connected(port) as second:
        assert await answered(first)
        assert await answered(second)
        async with connected(port) as third:
            assert await ended(third)
        assert await answered(first)
    # Their places are free again once the server has seen them leave.
    while True:
        async with connected(port) as client:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                assert await answered(client)
                break


async def test_a_stream_ends_with_the_bus(house: House, port: int) -> None:
    async with connected(port) as client:
        client[1].write(b"GET /events HTTP/1.1\r\nHost: gate.example\r\n\r\n")
        await client[0].readuntil(b"retry: 2000\n\n")
        house.bus.publish(PathNotReady(path="last words"))
        house.bus.close()
        assert b"last words" in await client[0].readuntil(b"0\r\n\r\n")


async def test_a_watcher_that_leaves_gives_its_place_back(house: House, port: int) -> None:
    async with connected(port) as client:
        client[1].write(b"GET /events HTTP/1.1\r\nHost: gate.example\r\n\r\n")
        await client[0].readuntil(b"retry: 2000\n\n")
        assert house.app.state.subscribers.open == 1
    async with connected(port) as client:
        while house.app.state.subscribers.open:
            assert await answered(client)
