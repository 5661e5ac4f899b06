from __future__ import annotations

import asyncio
import time
import uuid

import pytest

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
    backend.delay = 0.3
    async with serve(backend.answer) as url:
        gate.configure(authMethod="http", authHTTPAddress=url)
        start = time.perf_counter()
        await asyncio.gather(
            *(gate.ask(request_to(path=f"p{n}", user=f"u{n}", password="x")) for n in range(20))
        )
        assert time.perf_counter() - start <= 0.6
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
