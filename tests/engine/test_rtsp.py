"""RTSP's connections through the boundary: what comes up, what the verbs do, and how they fail."""

from __future__ import annotations

import asyncio
import errno
from contextlib import suppress
from dataclasses import replace

import pytest

from headgate.engine import (
    Accepted,
    ClientTls,
    Closed,
    CloseReason,
    Connect,
    Connected,
    Engine,
    Listen,
    Malformed,
    Received,
    Refusal,
    Tls,
)
from tests.engine.gate import REQUEST, Gate, Owner


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


def test_what_fails_now_is_a_standard_exception(engine: Engine) -> None:
    _, port = engine.listen(Listen(host="127.0.0.1", port=0))
    with pytest.raises(OSError) as taken:
        engine.listen(Listen(host="127.0.0.1", port=port))
    assert taken.value.errno == errno.EADDRINUSE
    with pytest.raises(ValueError, match="not an IP address"):
        engine.listen(Listen(host="localhost", port=0))
    with pytest.raises(ValueError, match="no certificate"):
        engine.listen(Listen(host="127.0.0.1", port=0, tls=Tls(certificate_pem=b"", key_pem=b"")))


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
