"""The WebSocket itself: who may connect, how fast, how much; over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from headgate.core.service import Endpoint
from headgate.core.session import CloseReason, Session
from headgate.rooms import http_connection
from headgate.rooms import socket as module
from headgate.rooms.participant import Arrival
from headgate.rooms.socket import Socket
from tests.rooms.conftest import Open, Wing

UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Unhurried(asyncio.Transport):
    """A transport to nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_paused = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def pause_reading(self) -> None:
        self.is_paused = True


@asynccontextmanager
async def raw(wing: Wing) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection behind its handshake, on which a test writes what it likes."""
    host, port = wing.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(UPGRADE.format(path="/ws", host=wing.address).encode())
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    try:
        yield reader, writer
    finally:
        writer.close()


async def closed_with(reader: asyncio.StreamReader) -> int:
    """The code of the close frame that comes before the end."""
    async with asyncio.timeout(10):
        data = await reader.read()
    return int.from_bytes(data[data.rindex(b"\x88") + 2 :][:2])


async def end_of(wing: Wing, session: Session) -> CloseReason:
    with wing.registry.bus.subscribe() as news:
        async with asyncio.timeout(10):
            while session.close_reason is None:
                await news.batch()
    return session.close_reason


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "file://"])
async def test_a_foreign_origin(wing: Wing, origin: str) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with connect(wing.ws, origin=origin, proxy=None):
            pass
    assert caught.value.response.status_code == 403
    assert wing.registry.sessions() == []


async def test_our_own_origin_and_allowed_ones(open_rooms: Open) -> None:
    async with open_rooms(allowed_origins=["https://friend.example"]) as wing:
        for origin in (f"http://{wing.address}", "https://friend.example"):
            await wing.caller(origin=origin)


async def test_a_message_that_is_too_big(wing: Wing) -> None:
    one = await wing.caller()
    await one.socket.send("x" * ((1 << 20) + 1))
    with pytest.raises(ConnectionClosed) as caught:
        await one.socket.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1009


async def test_a_message_as_big_as_may_be(wing: Wing) -> None:
    one, other = await wing.callers(2)
    payload = "x" * ((1 << 20) - 200)
    await one.send("Offer", {"To": other.id, "Offer": payload})
    assert (await other.data("Offer"))["Offer"] == payload


async def test_twenty_a_second_and_the_rest_waits(wing: Wing) -> None:
    one = await wing.caller()
    began = time.monotonic()
    for number in range(45):
        await one.send("Alive", {"Alive": number})
    for number in range(45):
        assert (await one.data("Alive"))["Alive"] == number
    assert 1.9 < time.monotonic() - began < 5


async def test_a_message_in_many_pieces_is_one(wing: Wing) -> None:
    """Over a slow network a picture comes in hundreds of them."""
    transport = Unhurried()
    socket = Socket(wing.server.hub, transport, loop=asyncio.get_running_loop(), gone=lambda _: None)
    here = Endpoint("127.0.0.1", 1)
    socket.begin(Arrival(remote=here, local=here))
    text = b'{"Type":"Alive","Alive":{"Alive":"%s"}}' % (b"x" * 60)
    for byte in bytes((0x81, 0x80 | len(text), 0, 0, 0, 0)) + text:
        assert not transport.is_paused
        socket.data_received(bytes((byte,)))
    assert b"x" * 60 in transport.written
    socket.connection_lost(None)


async def test_a_flood_of_pings(wing: Wing) -> None:
    async with raw(wing) as (_, writer):
        writer.write(b"\x89\x80\x00\x00\x00\x00" * 10_000)
        await writer.drain()
        other = await wing.caller()
        await other.silence()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x05Hello", 1002),
        (b"\xc1\x80\x00\x00\x00\x00", 1002),
        (b"\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00", 1009),
        (b"\x81\x81\x00\x00\x00\x00\xff", 1007),
        (b"\x01\x80\x00\x00\x00\x00" + b"\x00\x80\x00\x00\x00\x00" * 5, None),
        (b"\x88\x82\x00\x00\x00\x00\x03\xe8", 1000),
    ],
)
async def test_hostile_frames(wing: Wing, data: bytes, code: int | None) -> None:
    async with raw(wing) as (reader, writer):
        writer.write(data)
        if code is not None:
            assert await closed_with(reader) == code
    other = await wing.caller()
    await other.silence()


async def test_binary_frames_are_ignored(wing: Wing) -> None:
    one = await wing.caller()
    await one.socket.send(b"\x00\x01")
    await one.silence()


async def test_a_request_that_is_no_handshake(wing: Wing) -> None:
    assert (await wing.http.get("/ws")).status_code == 400
    assert (await wing.http.post("/ws")).status_code == 405
    headers = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "8"}
    assert (await wing.http.get("/ws", headers=headers)).status_code == 426


async def test_a_kick_says_goodbye(wing: Wing) -> None:
    one, other = await wing.callers(2)
    await one.hello()
    await other.hello()
    await one.next("Joined")
    session = next(s for s in wing.registry.sessions() if getattr(s, "public_id", "") == other.id)
    wing.registry.close(session, CloseReason.KICKED)
    with pytest.raises(ConnectionClosed) as caught:
        await other.next()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1008
    assert (await one.data("Left"))["Status"] == "hard"


async def test_somebody_who_does_not_read_is_dropped_and_holds_nobody_up(wing: Wing) -> None:
    one, other = await wing.callers(2)
    await one.hello()
    await other.hello()
    await one.next("Joined")
    async with raw(wing) as (_, writer):
        hello = json.dumps({"Type": "Hello", "Hello": {"Name": "tea"}}).encode()
        mask = b"\x81" + bytes((0x80 | len(hello),)) + b"\0\0\0\0"
        writer.write(mask + hello)
        await writer.drain()
        await one.next("Joined")
        await other.next("Joined")
        big = "x" * 500_000
        for _ in range(16):
            await one.send("Chat", {"To": "", "Chat": {"Message": big, "NoEcho": True}})
            envelope = await other.next()
            if envelope["Data"]["Type"] == "Left":
                break
        else:
            envelope = await other.next("Left")
        assert envelope["Data"]["Status"] == "hard"


class Slow(asyncio.Transport):
    """Takes everything and sends nothing, and says so."""

    def __init__(self) -> None:
        super().__init__()
        self.size = 0
        self.aborted = False
        self.socket: module.Socket | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.size += len(data)
        if self.size > 65_536 and self.socket is not None:
            self.socket.pause_writing()

    def get_write_buffer_size(self) -> int:
        return self.size

    def abort(self) -> None:
        self.aborted = True


async def test_one_document_may_be_larger_than_what_may_wait(wing: Wing) -> None:
    """As Welcome is, in a room of thousands: it is what comes behind it that nobody waits for."""
    transport = Slow()
    loop = asyncio.get_running_loop()
    slow = transport.socket = module.Socket(wing.server.hub, transport, loop=loop, gone=lambda _: None)
    slow.send(b"x" * (module.WRITE_LIMIT + 1))
    assert not transport.aborted
    slow.send(b"x")
    assert transport.aborted
    slow.connection_lost(None)


async def test_compression_is_offered_and_not_taken(wing: Wing) -> None:
    """S-35: there is nothing to inflate; and what is compressed all the same has a reserved bit."""
    async with connect(wing.ws, compression="deflate", proxy=None) as one:
        assert one.response is not None
        assert "sec-websocket-extensions" not in one.response.headers
        await one.recv()


async def test_a_million_empty_fragments(wing: Wing) -> None:
    async with raw(wing) as (_, writer):
        (session,) = wing.registry.sessions()
        writer.write(b"\x01\x80\x00\x00\x00\x00" + b"\x00\x80\x00\x00\x00\x00" * 1_000_000)
        assert await end_of(wing, session) is CloseReason.PROTOCOL_ERROR
    other = await wing.caller()
    await other.silence()


@pytest.mark.parametrize("head", [b"x-junk: " + b"x" * (1 << 20), b"x: y\r\n" * 20_000])
async def test_an_upgrade_with_a_megabyte_of_headers(wing: Wing, head: bytes) -> None:
    host, port = wing.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(UPGRADE.format(path="/ws", host=wing.address).encode()[:-2] + head)
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(10):
            assert b" 101 " not in await reader.read()
    writer.close()
    assert wing.registry.sessions() == []


async def test_a_head_that_never_ends(wing: Wing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connection, "HEAD_TIMEOUT", 0.2)
    host, port = wing.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /ws HTTP/1.1\r\nhost: x\r\n")
    async with asyncio.timeout(10):
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
    writer.close()


async def test_a_goodbye_that_is_never_finished(wing: Wing, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client has asked for the end, and then neither reads nor closes."""
    monkeypatch.setattr(module, "CLOSE_TIMEOUT", 0.2)
    async with raw(wing) as (_, writer):
        (session,) = wing.registry.sessions()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"\x88\x82\x00\x00\x00\x00\x03\xe8")
        assert await end_of(wing, session) is CloseReason.GOODBYE
        assert len(wing.server.door) == 0


async def test_nobody_answers_a_ping(wing: Wing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PING_INTERVAL", 0.05)
    monkeypatch.setattr(module, "PONG_TIMEOUT", 0.2)
    async with raw(wing) as (reader, _):
        async with asyncio.timeout(10):
            data = await reader.read()
        assert b"\x89\x00" in data
    one = await wing.caller()
    await one.send("Alive", {"Alive": 1})
    await one.data("Alive")


async def test_full(open_rooms: Open) -> None:
    async with open_rooms(max_sessions=1) as wing:
        await wing.caller()
        with pytest.raises(InvalidStatus) as caught:
            await wing.caller()
        assert caught.value.response.status_code == 503


async def test_the_base_path(open_rooms: Open) -> None:
    async with open_rooms(base_path="/meet") as wing:
        await wing.caller()
        with pytest.raises(InvalidStatus) as caught:
            async with connect(f"ws://{wing.address}/ws", proxy=None):
                pass
        assert caught.value.response.status_code == 404
