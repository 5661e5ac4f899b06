"""Sessions whose access is looked at again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import argon2
import pytest

from headgate.core.auth import Grant, Leases
from headgate.core.auth.lease import RETRY_INTERVAL, TRIES
from headgate.core.auth.throttle import LIMIT
from headgate.core.errors import Denied
from headgate.core.events import Bus
from headgate.core.registry import Registry
from headgate.core.service import Endpoint, Protocol, Service
from headgate.core.session import CloseReason, Session
from headgate.engine import Engine
from tests.core.auth.conftest import Gate, request_to
from tests.core.auth.servers import Backend, serve

SERVICE = Service(name="RTSP", protocol=Protocol.RTSP, router="paths", started=datetime.now(UTC))
HERE = Endpoint("192.0.2.1", 1)
CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
READ = [{"action": "read"}]


class Guest(Session):
    @property
    def flows(self) -> Sequence[int]:
        return ()

    def end(self, reason: CloseReason) -> None:
        pass


@pytest.fixture
def registry() -> Iterator[Registry]:
    engine = Engine(workers=1, event_capacity=16)
    yield Registry(engine=engine, bus=Bus())
    engine.shutdown()


def crowd(registry: Registry, leases: Leases, *, count: int) -> list[Session]:
    """All of one user, and of one address."""
    guests: list[Session] = []
    for _ in range(count):
        guest = registry.open(
            lambda id, now: Guest(id=id, service=SERVICE, remote=HERE, local=HERE, created=now)
        )
        leases.hold(guest, request_to(user="bob", password="secret"), Grant(user="bob"))
        guests.append(guest)
    return guests


def bob(password: str = "secret") -> dict[str, object]:
    return {"user": "bob", "pass": f"argon2:{CHEAP.hash(password)}", "permissions": READ}


async def test_many_of_one_address_are_all_judged(gate: Gate, registry: Registry) -> None:
    leases = Leases(access=gate.access, registry=registry)
    guests = crowd(registry, leases, count=40)
    gate.configure(auth_internal_users=[bob()])
    await leases.recheck()
    assert {guest.close_reason for guest in guests} == {None}
    gate.configure(auth_internal_users=[bob("another")])
    await leases.recheck()
    assert {guest.close_reason for guest in guests} == {CloseReason.REVOKED}


async def test_guesses_of_a_neighbour_end_nobody(gate: Gate, registry: Registry) -> None:
    leases = Leases(access=gate.access, registry=registry)
    (guest,) = crowd(registry, leases, count=1)
    gate.configure(auth_internal_users=[{"user": "bob", "pass": "secret", "permissions": READ}])
    for _ in range(LIMIT):
        with pytest.raises(Denied):
            await gate.ask(request_to(user="bob", password="guess"))
    await leases.recheck()
    assert guest.close_reason is None


class Pauses:
    """As long as the test says: it notes them, and turns the gate's clock."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.seconds: list[float] = []
        self.then: dict[int, Callable[[], None]] = {}

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.gate.now += seconds
        self.then.get(len(self.seconds), lambda: None)()


@pytest.mark.parametrize("verdict", [200, 401, None])
async def test_who_cannot_be_judged_stays_for_ten_minutes_at_most(
    gate: Gate, registry: Registry, caplog: pytest.LogCaptureFixture, verdict: int | None
) -> None:
    backend, pauses = Backend(), Pauses(gate)
    backend.decide = lambda _: 503
    leases = Leases(access=gate.access, registry=registry, sleep=pauses)
    (guest,) = crowd(registry, leases, count=1)
    if verdict is not None:
        pauses.then[3] = lambda: setattr(backend, "decide", lambda _: verdict)
    async with serve(backend.answer) as url:
        gate.configure(authMethod="http", authHTTPAddress=url)
        await leases.recheck()
    expected = {200: None, 401: CloseReason.REVOKED, None: CloseReason.UNCONFIRMED}[verdict]
    assert guest.close_reason is expected
    assert pauses.seconds == [RETRY_INTERVAL] * (TRIES - 1 if verdict is None else 3)
    assert TRIES * RETRY_INTERVAL == 600
    assert "1 sessions go on, although nobody answers" in caplog.text
    assert len(leases) == (verdict == 200)


async def test_who_left_meanwhile_is_not_asked_about(gate: Gate, registry: Registry) -> None:
    backend, pauses = Backend(), Pauses(gate)
    backend.decide = lambda _: 503
    leases = Leases(access=gate.access, registry=registry, sleep=pauses)
    (guest,) = crowd(registry, leases, count=1)
    pauses.then[1] = lambda: registry.close(guest, CloseReason.PEER)
    async with serve(backend.answer) as url:
        gate.configure(authMethod="http", authHTTPAddress=url)
        await leases.recheck()
    assert (len(backend.asked), guest.close_reason, len(leases)) == (1, CloseReason.PEER, 0)
