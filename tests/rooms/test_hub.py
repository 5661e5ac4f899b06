"""The hub: who is in it, for how long, and what is left of them."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from headgate.core.errors import Refused
from headgate.core.events import SessionChanged
from headgate.core.session import CloseReason
from headgate.engine import Engine
from headgate.rooms import joining
from headgate.rooms.accounts import Accounts
from headgate.rooms.directory import HubDirectory
from headgate.rooms.hub import RETURN_TIMEOUT
from headgate.rooms.participant import Arrival
from headgate.rooms.pictures import Picture
from headgate.rooms.room import SHOWN_LIMIT
from headgate.rooms.table import EMPTY_ROOM_AGE
from tests.rooms.house import HERE, House, Outlet

PICTURE = Picture(b"", is_png=False, change="change", made=datetime.now(UTC))


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
    one, _ = house.join()
    stranger = Arrival(remote=HERE, local=HERE, token="x")
    house.hub.check(stranger)
    house.join()
    with pytest.raises(Refused):
        house.hub.check(stranger)
    token = house.hub.identity.token(sid=one.sid, userid="")
    house.hub.check(Arrival(remote=HERE, local=HERE, token=token))


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


def documents(outlet: Outlet, kind: str) -> list[dict[str, Any]]:
    return [document for document in outlet.documents() if document["Type"] == kind]


def test_what_was_signed_gets_old(engine: Engine) -> None:
    """Attestations after 300 s, session tokens after 30 days; contacts never."""
    house = House(engine, users={"enabled": True, "mode": "sharedsecret"})
    hub = house.hub
    one, outlet = house.join()
    attestation = hub.identity.attestation(one.public_id)
    contact = hub.identity.contact_token("ann", "bob")
    token = hub.identity.token(sid=one.sid, userid="ann")
    for seconds, found in ((299, "Sessions"), (2, "Error")):
        house.time += seconds
        house.say(one, "Sessions", {"Sessions": {"Type": "session", "Token": attestation}})
        assert outlet.documents()[-1]["Type"] == found
    house.time += 30 * 86_400 - 302
    known = hub.identity.read_token(token)
    assert known is not None
    assert (known.sid, known.userid) == (one.sid, "ann")
    house.time += 3
    assert hub.identity.read_token(token) is None
    late = hub.connect(Arrival(remote=HERE, local=HERE, token=token), Outlet())
    assert late is not one
    assert late.public_id != one.public_id
    house.time += 3650 * 86_400
    assert hub.identity.read_contact(contact) == ("ann", "bob")


def test_an_attestation_is_made_anew_while_it_still_holds(house: House) -> None:
    one, _ = house.join()
    other, _ = house.join()
    heard: list[str] = []
    for _ in range(3):
        house.say(one, "Offer", {"To": other.public_id, "Offer": {}})
        frame = other.outlet.frames[-1]  # type: ignore[union-attr]
        heard.append(json.loads(frame[frame.index(b'{"') :])["A"])
        house.time += 100
    assert heard[0] == heard[1] != heard[2]
    assert house.hub.identity.read_attestation(heard[2]) == one.public_id


def test_a_nonce_is_good_for_a_minute(engine: Engine) -> None:
    house = House(engine, users={"enabled": True, "mode": "sharedsecret"})
    accounts = Accounts(house.hub.settings, secret=b"secret", wall=lambda: house.time)
    one, outlet = house.join()
    for seconds, answered in ((61, "Error"), (59, "Self")):
        nonce = accounts.give_nonce(one, "ann", now=house.time)
        house.time += seconds
        outlet.documents()
        house.say(one, "Authentication", {"Authentication": {"Userid": "ann", "Nonce": nonce}})
        (answer,) = outlet.documents()
        assert answer["Type"] == answered
    assert one.user == "ann"


def test_a_list_of_users_ends_somewhere(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "USERS_LIMIT", 3)
    for _ in range(5):
        _, outlet = house.join()
    assert len(documents(outlet, "Welcome")[0]["Users"]) == 3


def test_ten_thousand_ids_and_none_like_another(house: House) -> None:
    """S-53: at least 128 random bits, in none of the ids an order that could be gone on with."""
    identity = house.hub.identity
    sids = [identity.new_sid() for _ in range(10_000)]
    pictures = [house.hub.pictures.keep(None, PICTURE) for _ in range(1000)]
    for ids, alphabet in (
        (sids, 64),
        ([identity.id_of(sid) for sid in sids], 64),
        (pictures, 64),
    ):
        assert len(set(ids)) == len(ids)
        size = len(ids[0])
        assert size * math.log2(alphabet) >= 128
        assert all(len(one) == size for one in ids)
        for place in range(size - 1):
            counts = Counter(one[place] for one in ids)
            assert len(counts) == alphabet, f"place {place} is not random"
            assert max(counts.values()) < 3 * len(ids) / alphabet
        assert ids != sorted(ids)
        assert len({one[:8] for one in ids}) == len(ids)
    assert not {one[:6] for one in sids} & {identity.id_of(one)[:6] for one in sids}


def test_a_room_that_is_to_be_kept_stays_empty(house: House) -> None:
    directory = HubDirectory(lambda: house.hub, lambda: None)  # type: ignore[arg-type, return-value]
    about = {"type": "Room", "pin": "", "limit": 0, "lobby": False, "locked": False}
    kept = directory.open(**about, name="kept", keep=True)  # type: ignore[arg-type]
    directory.open(**about, name="gone", keep=False)  # type: ignore[arg-type]
    house.later(EMPTY_ROOM_AGE)
    house.later(3600)
    assert [room.name for room in directory.rooms()] == ["kept"]
    one, outlet = house.join("kept")
    house.say(one, "Leave", {})
    house.later(EMPTY_ROOM_AGE)
    assert [room.id for room in directory.rooms()] == [kept.id]
    directory.close(kept.id, reason="over")
    assert directory.rooms() == []
    assert kinds(outlet)[-1] == "Welcome"


def test_strangers_who_come_and_go_do_not_keep_a_moderator_busy(house: House) -> None:
    one, outlet = house.join(Extensions=["state"])
    house.say(one, "Moderate", {"Action": "settings", "Lobby": True})
    outlet.documents()
    stranger = house.hub.connect(Arrival(remote=HERE, local=HERE), Outlet())
    for _ in range(50):
        house.say(stranger, "Hello", {"Name": "tea", "Extensions": ["state"]})
        house.say(stranger, "Leave", {})
    house.say(stranger, "Hello", {"Name": "tea", "Extensions": ["state"]})
    assert len(documents(outlet, "State")) == 1
    house.later(1)
    (told,) = documents(outlet, "State")
    assert [one["Id"] for one in told["State"]["Waiting"]] == [stranger.public_id]
    house.later(1)
    assert outlet.documents() == []
    house.say(stranger, "Leave", {})
    (told,) = documents(outlet, "State")
    assert told["State"]["Waiting"] == []


def test_strangers_show_so_much_of_themselves_and_no_more(house: House) -> None:
    one, outlet = house.join(Extensions=["state"])
    house.say(one, "Moderate", {"Action": "settings", "Lobby": True})
    for _ in range(60):
        stranger = house.hub.connect(Arrival(remote=HERE, local=HERE), Outlet())
        house.say(stranger, "Status", {"Type": "Status", "Status": {"message": "x" * 8000}})
        house.say(stranger, "Hello", {"Name": "tea"})
    outlet.documents()
    house.later(1)
    waiting = documents(outlet, "State")[0]["State"]["Waiting"]
    assert len(waiting) == 60
    assert len(json.dumps(waiting)) < SHOWN_LIMIT + 10_000
    assert ["Status" in one for one in waiting] == [True] * 32 + [False] * 28


def test_pins_are_not_guessed(house: House) -> None:
    """Ten in a minute from one address, and then not even the right one; other rooms are not concerned."""
    house.join("tea", Credentials={"PIN": "1234"})
    house.join("coffee", Credentials={"PIN": "1234"})
    one, outlet = house.join("juice")

    def answer(room: str, pin: str) -> str:
        house.say(one, "Hello", {"Name": room, "Credentials": {"PIN": pin}})
        document = outlet.documents()[-1]
        return str(document.get("Code", document["Type"]))

    assert [answer("tea", str(guess)) for guess in range(10)] == ["invalid_credentials"] * 10
    assert answer("tea", "1234") == "invalid_credentials"
    assert answer("coffee", "1234") == "Welcome"
    house.later(61)
    assert answer("tea", "1234") == "Welcome"
    assert [answer("tea", "0") for _ in range(9)] == ["invalid_credentials"] * 9
    assert answer("tea", "1234") == "Welcome", "nine are mistakes, and forgotten with this"
    assert [answer("tea", "0") for _ in range(9)] == ["invalid_credentials"] * 9
    assert answer("tea", "1234") == "Welcome"


def test_who_guesses_does_not_put_members_out(house: House) -> None:
    """Of the same address: a member says Hello again, as after a lost connection."""
    one, outlet = house.join("tea", Credentials={"PIN": "1234"})
    for guess in range(11):
        house.join("tea", Credentials={"PIN": str(guess)})
    outlet.documents()
    house.say(one, "Hello", {"Name": "tea", "Credentials": {"PIN": "1234"}})
    assert [document["Type"] for document in outlet.documents()] == ["Welcome"]
    house.say(one, "Hello", {"Name": "tea", "Credentials": {"PIN": "0"}})
    assert outlet.documents()[-1]["Code"] == "invalid_credentials"
    house.say(one, "Hello", {"Name": "tea", "Credentials": {"PIN": "1234"}})
    assert outlet.documents()[-1]["Code"] == "invalid_credentials", "it is none any more"


def test_who_waits_and_comes_over_another_socket_waits_no_more(house: House) -> None:
    """And the moderators hear of it, though it may never say Hello again."""
    one, outlet = house.join(Extensions=["state"])
    house.say(one, "Moderate", {"Action": "settings", "Lobby": True})
    stranger, _ = house.join(Extensions=["state"])
    house.later(1)
    assert [len(state["State"]["Waiting"]) for state in documents(outlet, "State")][-1] == 1
    token = house.hub.identity.token(sid=stranger.sid, userid="")
    house.hub.connect(Arrival(remote=HERE, local=HERE, token=token), Outlet())
    house.later(1)
    assert [len(state["State"]["Waiting"]) for state in documents(outlet, "State")] == [0]
