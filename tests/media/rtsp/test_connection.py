"""Decisions that take time: the rest of a connection goes on as if they took none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from headgate.core.errors import Denied, HeadgateError, NotFound, Refused
from headgate.core.session import CloseReason
from headgate.media.rtsp import events
from headgate.media.rtsp.connection import RtspConnection
from headgate.media.rtsp.message import Response
from headgate.media.rtsp.wait import Wait
from tests.media.conftest import Open
from tests.media.rtsp.dialogue import SDP
from tests.media.rtsp.live import PATIENCE, Client

LONG = 60.0


class Gate:
    """Lets every ANNOUNCE wait once, as long as the test wants it to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.opened = asyncio.Event()
        self.error: Exception | None = None
        self.timeout = LONG
        self._known: set[int] = set()
        answer = RtspConnection._answer
        until: Callable[[], Awaitable[object]] = self._until

        def first_wait(connection: RtspConnection, event: events.Event) -> Wait | None:
            if isinstance(event, events.AnnounceRequested) and id(event) not in self._known:
                self._known.add(id(event))
                return Wait(until=until, timeout=self.timeout)
            return answer(connection, event)

        monkeypatch.setattr(RtspConnection, "_answer", first_wait)

    async def _until(self) -> None:
        self.asked.set()
        try:
            await self.opened.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        if self.error is not None:
            raise self.error


@pytest.fixture
async def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    return Gate(monkeypatch)


def announce(client: Client) -> None:
    head = f"ANNOUNCE {client.base}/cam RTSP/1.0\r\nCSeq: 1\r\nContent-Length: {len(SDP)}\r\n\r\n"
    client.send(head.encode() + SDP)


async def answer(client: Client) -> Response:
    received = await client.receive()
    assert isinstance(received, Response)
    return received


async def test_what_waits_is_answered_when_it_has_come_and_in_its_turn(open_server: Open, gate: Gate) -> None:
    async with open_server() as server, Client.connect(server) as client, Client.connect(server) as other:
        announce(client)
        client.send(f"OPTIONS {client.base}/cam RTSP/1.0\r\nCSeq: 2\r\n\r\n".encode())
        await gate.asked.wait()
        assert (await other.ask("OPTIONS")).status == 200, "others do not wait"
        assert server.registry.sessions() == []
        gate.opened.set()
        assert [((one := await answer(client)).cseq, one.status) for _ in range(2)] == [(1, 200), (2, 200)]
        assert len(server.registry.sessions()) == 1


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("gone"), 404),
        (Refused("full"), 400),
        (Denied("no"), 401),
        (OSError("engine"), 400),
    ],
)
async def test_an_error_while_waiting_is_the_answer(
    open_server: Open, gate: Gate, error: HeadgateError | OSError, status: int
) -> None:
    async with open_server() as server, Client.connect(server) as client:
        gate.error = error
        gate.opened.set()
        announce(client)
        assert (await answer(client)).status == status
        assert (await client.ask("OPTIONS")).status == 200


async def test_waiting_too_long_is_refused(open_server: Open, gate: Gate) -> None:
    async with open_server() as server, Client.connect(server) as client:
        gate.timeout = 0.01
        announce(client)
        assert (await answer(client)).status == 503


async def test_a_client_that_leaves_cancels_its_decision(open_server: Open, gate: Gate) -> None:
    async with open_server() as server:
        async with Client.connect(server) as client:
            announce(client)
            await gate.asked.wait()
        async with asyncio.timeout(PATIENCE):
            await gate.cancelled.wait()


async def test_a_server_that_stops_cancels_decisions(open_server: Open, gate: Gate) -> None:
    async with open_server() as server, Client.connect(server) as client:
        announce(client)
        await gate.asked.wait()
        async with asyncio.timeout(PATIENCE):
            await server.rtsp.close()
            await gate.cancelled.wait()
            await client.ended()


async def test_a_bug_while_deciding_ends_one_connection(open_server: Open, gate: Gate) -> None:
    async with open_server() as server, Client.connect(server) as client, Client.connect(server) as other:
        gate.error = RuntimeError("bug")
        gate.opened.set()
        announce(client)
        async with asyncio.timeout(PATIENCE):
            await client.ended()
        assert (await other.ask("OPTIONS")).status == 200


async def test_decisions_without_a_wait_make_no_task(
    open_server: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_server() as server, Client.connect(server) as publisher, Client.connect(server) as reader:

        def forbidden(*_: object, **__: object) -> None:
            raise AssertionError("a task")

        monkeypatch.setattr(server.rtsp._tasks, "create_task", forbidden)
        assert (await publisher.publish()).status == 200
        assert (await reader.read()).status == 200
        for session in server.registry.sessions():
            server.registry.close(session, CloseReason.KICKED)
