"""TURN through the boundary: what comes up, what the verbs do, and how they fail."""

import asyncio
import errno
import socket
import struct
import time
from collections.abc import AsyncIterator

import pytest

from headgate.engine import (
    Allocate,
    BindChannel,
    BindRelay,
    Closed,
    CloseReason,
    Engine,
    EngineLoop,
    Event,
    ListenTurn,
    Permit,
    RetuneTurn,
    StunReceived,
    Tls,
    TurnLimits,
    TurnTransport,
    UdpPort,
)

ALLOCATE = struct.pack("!HHI12s", 0x0003, 0, 0x2112A442, b"abcdefghijkl")
LOCALHOST = "127.0.0.1"


class Relay:
    """An engine that listens for TURN clients, and one client and one peer of it."""

    def __init__(self, loop: EngineLoop) -> None:
        self.loop = loop
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        listen = ListenTurn(transport=TurnTransport.UDP, host=LOCALHOST, port=0)
        self.listener = loop.engine.listen_turn(listen)
        loop.attach(self.listener.handle, self.events.put_nowait)
        self.client, self.peer = datagrams(), datagrams()
        self.client.connect((LOCALHOST, self.listener.port))

    async def next(self) -> Event:
        async with asyncio.timeout(10):
            return await self.events.get()

    async def request(self) -> StunReceived:
        self.client.send(ALLOCATE)
        event = await self.next()
        assert isinstance(event, StunReceived)
        return event

    async def allocate(self, *, lifetime_s: float = 600) -> tuple[StunReceived, int, UdpPort]:
        asked = await self.request()
        relay = self.loop.engine.bind_relay(BindRelay(host=LOCALHOST, port=0))
        allocate = Allocate(five_tuple=asked.five_tuple, relays=[relay.handle], lifetime_s=lifetime_s)
        allocation = self.loop.engine.allocate(allocate)
        self.loop.attach(allocation, self.events.put_nowait)
        return asked, allocation, relay


def datagrams() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((LOCALHOST, 0))
    made.settimeout(0)
    return made


async def received(sock: socket.socket) -> bytes:
    async with asyncio.timeout(10):
        return await asyncio.get_running_loop().sock_recv(sock, 2048)


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    async with EngineLoop(workers=2) as loop:
        made = Relay(loop)
        with made.client, made.peer:
            yield made


async def test_a_five_tuple_says_who_and_is_a_key(relay: Relay) -> None:
    first, second = await relay.request(), await relay.request()
    five_tuple = first.five_tuple
    assert (five_tuple.client_host, five_tuple.client_port) == relay.client.getsockname()
    assert (five_tuple.server_host, five_tuple.server_port) == relay.client.getpeername()
    assert (five_tuple.transport, five_tuple.connection) == (TurnTransport.UDP, 0)
    assert five_tuple.listener == relay.listener.handle
    assert {five_tuple: 1}[second.five_tuple] == 1
    assert (first.allocation, first.message.data) == (0, ALLOCATE)


async def test_a_dialogue(relay: Relay) -> None:
    engine = relay.loop.engine
    asked, allocation, relayed = await relay.allocate()
    port = relay.peer.getsockname()[1]
    engine.permit(Permit(allocation=allocation, hosts=[LOCALHOST]))
    engine.bind_channel(
        BindChannel(allocation=allocation, number=0x4001, peer_host=LOCALHOST, peer_port=port)
    )
    engine.answer(asked.five_tuple, b"answer")
    assert await received(relay.client) == b"answer"
    assert (await relay.request()).allocation == allocation

    relay.client.send(struct.pack("!HH4s", 0x4001, 4, b"data"))
    assert await received(relay.peer) == b"data"
    relay.peer.sendto(b"back", (relayed.host, relayed.port))
    assert await received(relay.client) == struct.pack("!HH4s", 0x4001, 4, b"back")

    engine.close(allocation)
    closed = await relay.next()
    assert isinstance(closed, Closed)
    assert (closed.handle, closed.reason) == (allocation, CloseReason.REQUESTED)
    assert (closed.counters.packets_received, closed.counters.packets_sent) == (2, 2)
    counters = engine.turn_counters()
    assert (counters.requests, counters.packets_relayed, counters.bytes_relayed) == (2, 2, 8)


async def test_an_allocation_expires_unless_it_is_refreshed(relay: Relay) -> None:
    _, allocation, _ = await relay.allocate()
    relay.loop.engine.refresh_allocation(allocation, 0.1)
    closed = await relay.next()
    assert isinstance(closed, Closed)
    assert (closed.handle, closed.reason) == (allocation, CloseReason.EXPIRED)


async def test_an_allocation_is_taken_along(relay: Relay) -> None:
    engine = relay.loop.engine
    here, allocation, relayed = await relay.allocate()
    port = relay.peer.getsockname()[1]
    engine.bind_channel(
        BindChannel(allocation=allocation, number=0x4001, peer_host=LOCALHOST, peer_port=port)
    )
    listener = engine.listen_turn(ListenTurn(transport=TurnTransport.TCP, host=LOCALHOST, port=0))
    relay.loop.attach(listener.handle, relay.events.put_nowait)
    with socket.socket() as stream:
        stream.settimeout(0)
        await asyncio.get_running_loop().sock_connect(stream, (LOCALHOST, listener.port))
        stream.send(ALLOCATE)
        there = await relay.next()
        assert isinstance(there, StunReceived)
        engine.move_allocation(allocation, before=here.five_tuple, five_tuple=there.five_tuple)
        with pytest.raises(FileExistsError):
            engine.move_allocation(allocation, before=here.five_tuple, five_tuple=there.five_tuple)
        engine.answer(there.five_tuple, b"answer!!")
        assert await received(stream) == b"answer!!"
        stream.send(struct.pack("!HH4s", 0x4001, 4, b"here"))
        assert await received(relay.peer) == b"here"
        relay.peer.sendto(b"back", (relayed.host, relayed.port))
        assert await received(stream) == struct.pack("!HH4s", 0x4001, 4, b"back")
        assert (await relay.request()).allocation == 0
    closed = await relay.next()  # it is not `movable`, and so of its connection
    assert isinstance(closed, Closed)
    assert (closed.handle, closed.reason) == (allocation, CloseReason.PEER)


async def test_what_fails_now_is_a_standard_exception(relay: Relay) -> None:
    engine = relay.loop.engine
    asked, allocation, relayed = await relay.allocate()
    with pytest.raises(FileExistsError):
        engine.allocate(Allocate(five_tuple=asked.five_tuple, relays=[relayed.handle], lifetime_s=1))
    with pytest.raises(OSError) as taken:
        engine.bind_relay(BindRelay(host=LOCALHOST, port=relayed.port))
    assert taken.value.errno == errno.EADDRINUSE
    with pytest.raises(OSError) as taken:
        engine.listen_turn(ListenTurn(transport=TurnTransport.UDP, host=LOCALHOST, port=relay.listener.port))
    assert taken.value.errno == errno.EADDRINUSE
    tls = Tls(certificate_pem=b"", key_pem=b"")
    for wrong in (
        ListenTurn(transport=TurnTransport.TLS, host=LOCALHOST, port=0),
        ListenTurn(transport=TurnTransport.TLS, host=LOCALHOST, port=0, tls=tls),
        ListenTurn(transport=TurnTransport.UDP, host=LOCALHOST, port=0, tls=tls),
        ListenTurn(transport=TurnTransport.UDP, host="localhost", port=0),
    ):
        with pytest.raises(ValueError):
            engine.listen_turn(wrong)
    for transport in (TurnTransport.UDP, TurnTransport.TLS, TurnTransport.DTLS, 0, 5):
        with pytest.raises(ValueError):
            engine.check_turn_tls(transport, tls)
    with pytest.raises(ValueError):
        engine.retune_turn(RetuneTurn(listener=allocation))
    with pytest.raises(ValueError):
        engine.bind_relay(BindRelay(host="0.0.0.0", port=0))
    with pytest.raises(ValueError):
        engine.permit(Permit(allocation=allocation, hosts=["example.org"]))
    with pytest.raises(ValueError):
        engine.release_relay(allocation, "example.org")
    with pytest.raises(ValueError):
        engine.answer_from(allocation, asked.five_tuple, 9, b"")
    with pytest.raises(ValueError):
        engine.refresh_allocation(allocation, -1)
    for number, port in ((0x3FFF, 9), (0x8000, 9), (0x4000, 0)):
        with pytest.raises(ValueError):
            engine.bind_channel(
                BindChannel(allocation=allocation, number=number, peer_host=LOCALHOST, peer_port=port)
            )


async def test_a_bug_in_a_handler_ends_no_other_client(
    relay: Relay, caplog: pytest.LogCaptureFixture
) -> None:
    def handler(event: Event) -> None:
        relay.events.put_nowait(event)
        raise RuntimeError("a bug")

    _, allocation, _ = await relay.allocate()
    relay.loop.attach(relay.listener.handle, handler)
    await relay.request()
    assert "a bug while handling StunReceived" in caplog.text
    relay.loop.attach(relay.listener.handle, relay.events.put_nowait)
    assert (await relay.request()).allocation == allocation


def test_limits_change_under_what_stands() -> None:
    engine = Engine(workers=1, event_capacity=16)
    listener = engine.listen_turn(ListenTurn(transport=TurnTransport.UDP, host=LOCALHOST, port=0))
    engine.retune_turn(
        RetuneTurn(listener=listener.handle, limits=TurnLimits(requests_per_second_per_address=1))
    )
    with datagrams() as client:
        for _ in range(10):
            client.sendto(ALLOCATE, (LOCALHOST, listener.port))
        until = time.monotonic() + 10
        while engine.turn_counters().requests_over_budget < 5:
            assert time.monotonic() < until
    engine.shutdown()
    assert engine.turn_counters().requests == 5
