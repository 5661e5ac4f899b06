from __future__ import annotations

import asyncio
import time
import uuid

import pytest
from aiohttp import web

from headgate.core.auth import outbound
from headgate.core.auth.backend import LIFETIME
from headgate.core.auth.circuit import PROBE_INTERVAL, THRESHOLD
from headgate.core.errors import CredentialsMissing, Denied, Unavailable
from tests.core.auth.conftest import Gate, request_to
from tests.core.auth.servers import Backend, serve


async def test_what_it_is_asked_and_what_it_says(gate: Gate) -> None:
    backend = Backend()
    backend.decide = lambda asked: 204 if asked["password"] == "secret" else 401
    async with serve(backend.answer) as url:
        gate.configure(authMethod="http", authHTTPAddress=url)
        connection = uuid.uuid4()
        right = request_to(user="bob", password="secret", query="a=b", id=connection)
        assert (await gate.ask(right)).user == "bob"
        assert backend.asked == [
            {
                "ip": "192.0.2.1",
                "user": "bob",
                "password": "secret",
                "token": "",
                "action": "read",
                "path": "cam",
                "protocol": "rtsp",
                "id": str(connection),
                "query": "a=b",
            }
        ]
        assert gate.access.known(right), "remembered for a moment"
        gate.now += LIFETIME
        assert gate.access.known(right) is None
        with pytest.raises(Denied):
            await gate.ask(request_to(user="bob", password="other"))
        with pytest.raises(CredentialsMissing):
            await gate.ask(request_to())
        assert gate.access.known(request_to("api", "")), "excluded by default"


async def test_twenty_joins_take_as_long_as_one(gate: Gate) -> None:
    backend = Backend()
    backend.delay = 1.0
    async with serve(backend.answer) as url:
        gate.configure(authMethod="http", authHTTPAddress=url)
        start = time.perf_counter()
        await asyncio.gather(
            *(gate.ask(request_to(path=f"p{n}", user=f"u{n}", password="x")) for n in range(20))
        )
        assert time.perf_counter() - start <= 2 * backend.delay
        assert len(backend.asked) == 20


async def test_one_that_hangs_is_given_up(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """F-18: few questions under way, others refused soon, then a fuse."""
    monkeypatch.setattr(outbound, "TIMEOUT", 0.3)
    monkeypatch.setattr(outbound, "TURN_TIMEOUT", 0.1)
    backend = Backend()
    backend.hangs = True
    async with serve(backend.answer) as url:
        gate.configure(authMethod="http", authHTTPAddress=url)
        start = time.perf_counter()
        waiting = [gate.ask(request_to(user=f"u{n}", password="x")) for n in range(100)]
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
        assert time.perf_counter() - start < 2.0
        assert len(backend.asked) <= outbound.CONNECTIONS
        asked = len(backend.asked)
        with pytest.raises(Unavailable):
            await gate.ask(request_to(user="u", password="x"))
        assert len(backend.asked) == asked, "the fuse is out"
        backend.hangs = False
        gate.now += PROBE_INTERVAL
        assert await gate.ask(request_to(user="u", password="x"))


async def test_errors_of_the_server_are_no_verdict(gate: Gate) -> None:
    backend = Backend()
    backend.decide = lambda _: 500
    async with serve(backend.answer) as url:
        gate.configure(authMethod="http", authHTTPAddress=url)
        for _ in range(3 * THRESHOLD):
            with pytest.raises(Unavailable):
                await gate.ask(request_to(user="bob", password="x"))
        assert len(backend.asked) == THRESHOLD
        assert gate.access.throttled == 0


async def test_a_redirect_is_a_refusal(gate: Gate) -> None:
    backend = Backend()
    backend.decide = lambda _: 307
    async with serve(backend.answer) as url:
        gate.configure(authMethod="http", authHTTPAddress=url)
        with pytest.raises(Denied):
            await gate.ask(request_to(user="bob", password="x"))
        assert len(backend.asked) == 1


class Crowd(Backend):
    """Counts who waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = self.most = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        try:
            return await super().answer(request)
        finally:
            self.waiting -= 1


async def test_one_that_hangs_holds_up_those_only_who_depend_on_it(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-18: 32 in flight, others refused within 2 s, the rest unaffected; then one probe in 5 s."""
    assert (outbound.CONNECTIONS, THRESHOLD, PROBE_INTERVAL) == (32, 5, 5.0)
    assert outbound.TURN_TIMEOUT <= 2
    monkeypatch.setattr(outbound, "TIMEOUT", 1.0)
    monkeypatch.setattr(outbound, "TURN_TIMEOUT", 0.2)
    backend = Crowd()
    async with serve(backend.answer) as url:
        gate.configure(authMethod="http", authHTTPAddress=url)
        here = request_to(user="here", password="x")
        assert await gate.ask(here)
        backend.hangs, backend.most = True, 0
        waits: list[float] = []

        async def ask(number: int) -> None:
            start = time.perf_counter()
            with pytest.raises(Unavailable):
                await gate.ask(request_to(user=f"u{number}", password="x"))
            waits.append(time.perf_counter() - start)

        async with asyncio.TaskGroup() as tasks:
            for number in range(200):
                tasks.create_task(ask(number))
            while backend.waiting < outbound.CONNECTIONS:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            start = time.perf_counter()
            assert gate.access.known(here), "who was let in a moment ago"
            assert gate.access.known(request_to("api", "")), "whom it is not asked about"
            assert time.perf_counter() - start < 0.02
        assert backend.most == outbound.CONNECTIONS
        assert len([wait for wait in waits if wait > 0.9]) <= outbound.CONNECTIONS
        assert max(waits) < 3
        for _ in range(3):  # half open: one is let through, whoever asks
            asked = len(backend.asked)
            async with asyncio.TaskGroup() as tasks:
                gate.now += PROBE_INTERVAL
                for number in range(50):
                    tasks.create_task(ask(number))
            assert len(backend.asked) == asked + 1
            asked += 1
            gate.now += PROBE_INTERVAL - 0.1
            await ask(0)
            assert len(backend.asked) == asked
            gate.now -= PROBE_INTERVAL - 0.1
        backend.hangs = False
        gate.now += PROBE_INTERVAL
        outcomes = await asyncio.gather(
            *(gate.ask(request_to(user=f"w{n}", password="x")) for n in range(20)), return_exceptions=True
        )
        assert sum(not isinstance(outcome, Unavailable) for outcome in outcomes) == 1
        assert await gate.ask(request_to(user="after", password="x")), "closed again"
