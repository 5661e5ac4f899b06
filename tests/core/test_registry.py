"""The life of a session: one identity, found in every form, closed once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from headgate.core.errors import NotFound
from headgate.core.events import Bus, SessionChanged, SessionClosed, SessionOpened
from headgate.core.registry import Registry
from headgate.core.service import Endpoint, Protocol, Service
from headgate.core.session import CloseReason, Role, Session, SessionState, Totals
from headgate.engine import Codec, Engine, OpenStream, Track

REMOTE = Endpoint("192.0.2.1", 4000)


class Guest(Session):
    def __init__(self, *, handles: Sequence[int] = (), fault: Exception | None = None, **given: Any) -> None:
        super().__init__(**given)
        self.handles = handles
        self.fault = fault
        self.ends: list[CloseReason] = []

    @property
    def flows(self) -> Sequence[int]:
        return self.handles

    def end(self, reason: CloseReason) -> None:
        self.ends.append(reason)
        if self.fault:
            raise self.fault


class House:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.clock = datetime(2026, 11, 20, 12, tzinfo=UTC)
        self.bus = Bus()
        self.registry = Registry(engine=engine, bus=self.bus, now=lambda: self.clock)
        self.service = Service(name="RTSP", protocol=Protocol.RTSP, router="paths", started=self.clock)
        self.registry.add_service(self.service, [(Endpoint("::", 8554), "TCP")])

    def open(self, **given: Any) -> Guest:
        return self.registry.open(
            lambda id, created: Guest(
                id=id, created=created, service=self.service, remote=REMOTE, local=REMOTE, **given
            )
        )

    def published(self, kind: type) -> list[Any]:
        return [p.event for p in self.bus.since(0) if isinstance(p.event, kind)]


@pytest.fixture
def house() -> Iterator[House]:
    engine = Engine(workers=1, event_capacity=16)
    yield House(engine)
    engine.shutdown()


def test_one_identity_in_every_form(house: House) -> None:
    guest = house.open()
    assert re.fullmatch("[A-Z0-9]{13}", guest.id.code)
    assert house.registry.by_uuid(guest.id.uuid) is guest
    assert house.registry.by_number(guest.id.number) is guest
    assert house.registry.by_code(guest.id.code) is guest
    assert guest.id.number == 2, "the listener took the first number"


def test_a_closed_session_is_found_nowhere_and_ended_once(house: House) -> None:
    guest, other = house.open(), house.open()
    house.clock += timedelta(seconds=90)
    house.registry.close(guest, CloseReason.KICKED)
    house.registry.close(guest, CloseReason.PEER)
    for find, form in (
        (house.registry.by_uuid, guest.id.uuid),
        (house.registry.by_number, guest.id.number),
        (house.registry.by_code, guest.id.code),
    ):
        with pytest.raises(NotFound):
            find(form)
    assert house.registry.sessions() == [other]
    assert guest.ends == [CloseReason.KICKED]
    assert guest.state is SessionState.CLOSED
    (closed,) = house.published(SessionClosed)
    assert (closed.session, closed.reason, closed.duration_s) == (guest.id, CloseReason.KICKED, 90)


class Lease:
    releases = 0

    def release(self) -> None:
        self.releases += 1


def test_a_closed_session_lets_go_of_its_lease(house: House) -> None:
    guest, lease = house.open(), Lease()
    guest.lease = lease
    house.registry.close(guest, CloseReason.PEER)
    assert lease.releases == 1
    assert guest.lease is None


def test_a_bug_in_a_goodbye_does_not_keep_the_session(house: House, caplog: pytest.LogCaptureFixture) -> None:
    guest = house.open(fault=ZeroDivisionError())
    house.registry.close(guest, CloseReason.SHUTDOWN)
    assert house.registry.sessions() == []
    assert len(house.published(SessionClosed)) == 1
    assert "ZeroDivisionError" in caplog.text


def test_a_service_counts_its_sessions(house: House) -> None:
    first, _ = house.open(), house.open()
    house.registry.close(first, CloseReason.PEER)
    assert (house.service.sessions, house.service.total_sessions) == (1, 2)
    assert house.registry.service("RTSP") is house.service
    with pytest.raises(NotFound):
        house.registry.service("rtsp2")


def test_every_change_is_an_event(house: House) -> None:
    guest = house.open()
    guest.role, guest.target, guest.transport = Role.PUBLISH, "cam", "UDP"
    house.registry.changed(guest)
    (opened,) = house.published(SessionOpened)
    (changed,) = house.published(SessionChanged)
    assert (opened.session, opened.remote) == (guest.id, "192.0.2.1:4000")
    assert (changed.role, changed.target, changed.transport) == (Role.PUBLISH, "cam", "UDP")
    assert guest.state is SessionState.ACTIVE


def test_totals_of_many_sessions_come_in_their_order(house: House) -> None:
    engine = house.engine
    streams = [
        engine.open_stream(OpenStream(tracks=[Track(codec=Codec.OPAQUE, clock_rate=8000)])) for _ in range(3)
    ]
    sessions = [
        house.open(),
        house.open(handles=streams[:2]),
        house.open(handles=[999_999]),
        house.open(handles=streams[2:]),
    ]
    totals = house.registry.totals(sessions)
    assert len(totals) == 4
    assert totals[0] == totals[2] == Totals(), "no flow, or one that is gone"
    assert all(t.idle_s >= 0 and t.bytes_sent == 0 for t in totals)
    assert house.registry.totals([]) == []


def test_flows_that_are_gone_cost_nothing_and_still_count(house: House) -> None:
    guest = house.open()
    guest.finished = Totals(packets_received=1, packets_lost=2, jitter_s=0.5, idle_s=3.0)
    guest.finished += Totals(packets_received=10, packets_lost=20, jitter_s=0.1, idle_s=7.0)
    assert house.registry.totals([guest]) == [
        Totals(packets_received=11, packets_lost=22, jitter_s=0.5, idle_s=7.0)
    ]


def test_an_id_nobody_has_is_not_found(house: House) -> None:
    with pytest.raises(NotFound):
        house.registry.by_uuid(uuid4())
