"""The hub: who is in it, for how long, and what is left of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from headgate.core.errors import Refused
from headgate.core.events import SessionChanged
from headgate.core.session import CloseReason
from headgate.engine import Engine
from headgate.rooms.hub import RETURN_TIMEOUT
from headgate.rooms.participant import Arrival
from headgate.rooms.table import EMPTY_ROOM_AGE
from tests.rooms.house import HERE, House, Outlet


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine(workers=1, event_capacity=256)
    yield engine
    engine.shutdown()


@pytest.fixture
def house(engine: Engine) -> House:
    return House(engine)


def kinds(outlet: Outlet) -> list[str]:
    return [document["Type"] for document in outlet.documents()]


def test_an_empty_room_keeps_its_pin_for_a_minute(house: House) -> None:
    one, _ = house.join(Credentials={"PIN": "1"})
    house.say(one, "Leave", {})
    house.later(EMPTY_ROOM_AGE - 1)
    _, outlet = house.join()
    assert kinds(outlet) == ["Self", "Error"]
    house.later(2)
    _, outlet = house.join()
    assert kinds(outlet) == ["Self", "Welcome"]
    assert len(house.hub.rooms) == 1


def test_whoever_takes_over_and_says_nothing_leaves(house: House) -> None:
    one, old = house.join()
    _, watcher = house.join()
    watcher.documents()
    token = house.hub.identity.token(sid=one.sid, userid="")
    new = Outlet()
    assert house.hub.connect(Arrival(remote=HERE, local=HERE, token=token), new) is one
    assert old.closed is CloseReason.OVERRIDDEN
    house.hub.lost(one, old, CloseReason.PEER, may_return=True)
    assert kinds(watcher) == []
    house.later(RETURN_TIMEOUT)
    assert kinds(watcher) == ["Left"]
    assert house.hub.people[one.public_id] is one
    assert (one.room, one.target) == (None, None)
    told = [each.event for each in house.registry.bus.since(0) if isinstance(each.event, SessionChanged)]
    assert (told[-1].session, told[-1].target) == (one.id, None)


def test_away_for_too_long(house: House) -> None:
    one, outlet = house.join(Extensions=["resume"])
    _, watcher = house.join()
    house.hub.lost(one, outlet, CloseReason.PEER, may_return=True)
    house.later(29)
    assert one.public_id in house.hub.people
    house.later(1)
    assert one.public_id not in house.hub.people
    assert kinds(watcher)[-1] == "Left"


def test_no_churn_leaves_anything_behind(house: House) -> None:
    for number in range(300):
        one, outlet = house.join(f"room {number % 7}", Extensions=["state", "resume"][: number % 3])
        house.say(one, "Status", {"Type": "Status", "Status": {"n": number}})
        house.hub.lost(one, outlet, CloseReason.PEER, may_return=bool(number % 2))
        house.later(0.1)
    house.later(31)
    house.later(EMPTY_ROOM_AGE)
    hub = house.hub
    assert (len(hub.people), len(hub.rooms), len(hub.users), len(hub.pictures)) == (0, 0, 0, 0)
    assert (hub._away, hub._returning, hub._closing) == ({}, {}, set())
    assert house.registry.sessions() == []


def test_everybody_has_a_place_until_there_is_none(engine: Engine) -> None:
    house = House(engine, max_sessions=2)
    house.join()
    house.hub.check()
    house.join()
    with pytest.raises(Refused):
        house.hub.check()


def test_a_user_is_known_by_every_session(engine: Engine) -> None:
    house = House(engine, users={"enabled": True, "mode": "sharedsecret"})
    arrival = Arrival(remote=HERE, local=HERE, userid="ann")
    one = house.hub.connect(arrival, Outlet())
    other = house.hub.connect(arrival, Outlet())
    assert set(house.hub.users["ann"]) == {one.public_id, other.public_id}
    house.registry.close(one, CloseReason.KICKED)
    house.registry.close(other, CloseReason.KICKED)
    assert house.hub.users == {}


def test_traffic_is_counted(house: House) -> None:
    one, outlet = house.join()
    totals = house.registry.totals([one])[0]
    assert totals.packets_received == 1
    assert totals.packets_sent == 2
    assert totals.bytes_sent == sum(map(len, outlet.frames))


def test_ids_cannot_be_guessed(house: House) -> None:
    people = [house.join()[0] for _ in range(500)]
    ids = {one.public_id for one in people} | {one.sid for one in people}
    assert len(ids) == 1000
    assert all(len(one.public_id) == 43 and len(one.sid) == 32 for one in people)
    prefixes = {one.public_id[:8] for one in people}
    assert len(prefixes) == 500
