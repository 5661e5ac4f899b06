"""The boundary as Python sees it: events reach their owner, a handler's bug ends its own handle only."""

from __future__ import annotations

import asyncio
import errno
import select
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

import pytest

from headgate.engine import (
    Accepted,
    Channel,
    ClientTls,
    Closed,
    CloseReason,
    Codec,
    Connect,
    Connected,
    Engine,
    EngineLoop,
    Event,
    Listen,
    Malformed,
    OpenStream,
    PublishTcp,
    PublishUdp,
    Received,
    Refusal,
    Remote,
    Tls,
    Track,
)

REQUEST = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"


class Owner:
    """Keeps what it is handed; `next` waits for it."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[Event] = asyncio.Queue()

    def __call__(self, event: Event) -> None:
        self.events.put_nowait(event)

    async def next(self) -> Event:
        async with asyncio.timeout(10):
            return await self.events.get()


class Gate:
    """A listener whose connections all belong to one owner."""

    def __init__(self, loop: EngineLoop) -> None:
        self.loop = loop
        self.owner = Owner()
        self.listener, self.port = loop.engine.listen(Listen(host="127.0.0.1", port=0))
        loop.attach(self.listener, self.accept)

    def accept(self, event: Event) -> None:
        assert isinstance(event, Accepted)
        self.loop.attach(event.connection, self.owner)
        self.owner(event)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, int]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        accepted = await self.owner.next()
        assert isinstance(accepted, Accepted)
        assert (accepted.remote_host, accepted.remote_port) == writer.get_extra_info("sockname")
        return reader, writer, accepted.connection


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    async with EngineLoop(workers=2) as loop:
        yield Gate(loop)


async def test_a_dialogue(gate: Gate) -> None:
    reader, writer, connection = await gate.connect()
    writer.write(REQUEST)
    received = await gate.owner.next()
    assert isinstance(received, Received)
    assert (received.connection, received.message) == (connection, REQUEST)
    gate.loop.engine.send(connection, b"answer")
    assert await reader.readexactly(6) == b"answer"
    gate.loop.engine.close(connection)
    assert await reader.read() == b""
    writer.close()
    closed = await gate.owner.next()
    assert isinstance(closed, Closed)
    assert (closed.handle, closed.reason) == (connection, CloseReason.REQUESTED)
    assert (closed.counters.bytes_received, closed.counters.bytes_sent) == (len(REQUEST), 6)


async def test_a_connection_of_our_own(gate: Gate) -> None:
    engine, ours = gate.loop.engine, Owner()
    client = engine.connect(Connect(host="127.0.0.1", port=gate.port))
    gate.loop.attach(client, ours)
    connected, accepted = await ours.next(), await gate.owner.next()
    assert isinstance(connected, Connected)
    assert isinstance(accepted, Accepted)
    assert (connected.connection, connected.remote_port) == (client, gate.port)
    assert (connected.local_host, connected.local_port) == (accepted.remote_host, accepted.remote_port)
    engine.send(client, REQUEST)
    received = await gate.owner.next()
    assert isinstance(received, Received)
    engine.close(accepted.connection)
    closed = await ours.next()
    assert isinstance(closed, Closed)
    assert closed.reason == CloseReason.PEER


async def test_a_connection_that_never_stands(gate: Gate) -> None:
    engine, ours = gate.loop.engine, Owner()
    tls = ClientTls(server_name="localhost", fingerprint=bytes(32))
    client = engine.connect(Connect(host="127.0.0.1", port=gate.port, tls=tls, read_timeout=0.1))
    gate.loop.attach(client, ours)
    closed = await ours.next()
    assert isinstance(closed, Closed)
    assert (closed.handle, closed.reason) in {(client, CloseReason.CONNECT), (client, CloseReason.TLS)}
    for wrong in (b"", bytes(20)):
        with pytest.raises(ValueError, match="fingerprint"):
            engine.connect(
                Connect(host="127.0.0.1", port=1, tls=ClientTls(server_name="h", fingerprint=wrong))
            )
    with pytest.raises(ValueError, match="IP"):
        engine.connect(Connect(host="localhost", port=1))


async def test_totals_can_be_read_until_the_handler_of_closed_returns(gate: Gate) -> None:
    _, writer, connection = await gate.connect()
    known: list[object] = []
    gate.loop.attach(connection, lambda _: known.extend(gate.loop.engine.counters([connection])))
    done = Owner()
    _, other, _ = await gate.connect()
    gate.owner = done
    writer.close()
    await writer.wait_closed()
    async with asyncio.timeout(10):
        while not known:
            other.write(REQUEST)
            await asyncio.sleep(0)
    assert known != [None]
    assert gate.loop.engine.counters([connection]) == [None]
    other.close()


async def test_a_bug_in_a_handler_ends_its_connection_only(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer, connection = await gate.connect()
    _, healthy, _ = await gate.connect()

    def broken(event: Event) -> None:
        raise ZeroDivisionError

    gate.loop.attach(connection, broken)
    writer.write(REQUEST)
    assert await reader.read() == b"", "closed"
    writer.close()
    assert "ZeroDivisionError" in caplog.text
    healthy.write(REQUEST)
    assert isinstance(await gate.owner.next(), Received)
    healthy.close()


async def test_a_connection_nobody_took_is_closed(gate: Gate) -> None:
    gate.loop.detach(gate.listener)
    reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
    assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        (b"\x16\x03\x01", Refusal.NOT_RTSP),
        (b"A" * 20_000, Refusal.HEAD_TOO_LARGE),
        (b"A\r\nContent-Length: -1\r\n\r\n", Refusal.BAD_CONTENT_LENGTH),
        (b"A\r\nContent-Length: 200000\r\n\r\n", Refusal.BODY_TOO_LARGE),
    ],
)
async def test_bytes_that_are_no_message_are_refused(gate: Gate, data: bytes, refusal: Refusal) -> None:
    _, writer, connection = await gate.connect()
    writer.write(data)
    event = await gate.owner.next()
    assert isinstance(event, Malformed)
    assert (event.connection, event.refusal) == (connection, refusal)
    writer.close()


@pytest.fixture
def engine() -> Engine:
    return Engine(workers=1, event_capacity=16)


def test_what_fails_now_is_a_standard_exception(engine: Engine) -> None:
    _, port = engine.listen(Listen(host="127.0.0.1", port=0))
    with pytest.raises(OSError) as taken:
        engine.listen(Listen(host="127.0.0.1", port=port))
    assert taken.value.errno == errno.EADDRINUSE
    with pytest.raises(ValueError, match="not an IP address"):
        engine.listen(Listen(host="localhost", port=0))
    with pytest.raises(ValueError, match="no certificate"):
        engine.listen(Listen(host="127.0.0.1", port=0, tls=Tls(certificate_pem=b"", key_pem=b"")))
    with pytest.raises(ValueError, match="clock rate"):
        engine.open_stream(OpenStream(tracks=[Track(codec=Codec.H264, clock_rate=0)]))
    stream = engine.open_stream(OpenStream(tracks=[Track(codec=Codec.H264, clock_rate=90000)]))
    for channels in (
        [Channel(track=1, rtp=0, rtcp=1)],
        [Channel(track=0, rtp=4, rtcp=4)],
    ):
        with pytest.raises(ValueError):
            engine.publish_tcp(PublishTcp(stream=stream, connection=0, channels=channels))
    with pytest.raises(ValueError):
        Engine(workers=0, event_capacity=1)
    engine.shutdown()
    with pytest.raises(RuntimeError):
        engine.open_stream(OpenStream(tracks=[]))


def test_a_flow_without_its_connection_ends_at_once(engine: Engine) -> None:
    stream = engine.open_stream(OpenStream(tracks=[Track(codec=Codec.H264, clock_rate=90000)]))
    rtp, rtcp = engine.bind_udp("127.0.0.1", 0), engine.bind_udp("127.0.0.1", 0)
    remote = Remote(track=0, host="127.0.0.1", rtp_port=9, rtcp_port=10)
    over_udp = PublishUdp(stream=stream, connection=640, rtp=rtp.handle, rtcp=rtcp.handle, remotes=[remote])
    over_tcp = PublishTcp(stream=stream, connection=640, channels=[Channel(track=0, rtp=0, rtcp=1)])
    flows = {engine.publish_udp(over_udp), engine.publish_tcp(over_tcp)}
    ended = set()
    while ended != flows:
        assert select.select([engine.fileno()], [], [], 10)[0], "nothing happened"
        for event in engine.drain(16):
            assert isinstance(event, Closed)
            assert event.reason == CloseReason.PEER
            ended.add(event.handle)
    # Its address is free again.
    engine.close(engine.publish_udp(over_udp))
    engine.shutdown()


async def test_a_listener_is_retuned(gate: Gate) -> None:
    listen = Listen(host="127.0.0.1", port=gate.port, read_timeout=0.2)
    gate.loop.engine.retune(gate.listener, listen)
    closed = False
    while not closed:  # the listener's thread has yet to hear of it, perhaps
        reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                closed = await reader.read() == b""
        writer.close()


async def test_tls_that_is_none(gate: Gate) -> None:
    junk = Tls(certificate_pem=b"junk", key_pem=b"junk")
    engine = gate.loop.engine
    with pytest.raises(ValueError, match="no certificate"):
        engine.check_tls(junk)
    with pytest.raises(ValueError, match="no certificate"):
        engine.retune(gate.listener, Listen(host="127.0.0.1", port=1, tls=junk))
    _, writer, _ = await gate.connect()
    writer.close()


async def test_a_port_is_shared_with_its_successor_only(gate: Gate) -> None:
    engine, wider = gate.loop.engine, Listen(host="0.0.0.0", port=gate.port)
    with pytest.raises(OSError) as taken:
        engine.listen(wider)
    assert taken.value.errno == errno.EADDRINUSE
    with pytest.raises(ValueError, match="not an open listener"):
        engine.listen(replace(wider, beside=gate.listener + 64))
    _, port = engine.listen(replace(wider, beside=gate.listener))
    assert port == gate.port
    udp = engine.bind_udp("127.0.0.1", 0)
    with pytest.raises(OSError) as taken:
        engine.bind_udp("0.0.0.0", udp.port)
    assert taken.value.errno == errno.EADDRINUSE
    with pytest.raises(ValueError, match="not a bound UDP port"):
        engine.bind_udp("0.0.0.0", udp.port, beside=udp.handle + 64)
    assert engine.bind_udp("0.0.0.0", udp.port, beside=udp.handle).port == udp.port


async def test_relay_latency_of_nobody(gate: Gate) -> None:
    latency = gate.loop.engine.relay_latency()
    assert len(latency.counts) == len(latency.bounds) + 1
    assert latency.bounds == sorted(latency.bounds)
    assert (sum(latency.counts), latency.sum) == (0, 0.0)
