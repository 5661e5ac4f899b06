"""Events reach their owner; a handler's bug ends its own handle only."""

from __future__ import annotations

import asyncio

import pytest

from headgate.engine import Engine, Event, OpenStream, Received
from tests.engine.gate import REQUEST, Gate, Owner


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


def test_an_engine_has_workers_and_an_end(engine: Engine) -> None:
    with pytest.raises(ValueError):
        Engine(workers=0, event_capacity=1)
    engine.shutdown()
    with pytest.raises(RuntimeError):
        engine.open_stream(OpenStream(tracks=[]))
