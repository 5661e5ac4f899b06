"""A hub full of people, all of whose state can be looked at."""

from __future__ import annotations

from collections import deque
from typing import Any

from headgate.core.session import CloseReason, SessionState
from headgate.engine import Engine
from headgate.rooms.participant import Arrival, Participant
from headgate.rooms.room import Room
from tests.rooms.house import HERE, House, Outlet

__all__ = ["Crowd", "Snapshot"]

SETTINGS: dict[str, Any] = {
    "users": {"enabled": True, "mode": "sharedsecret"},
    "room_types": {"^meeting": "Conference"},
    "global_room": "lounge",
    "history_limit": 3,
}
Snapshot = dict[str, Any]


class Crowd:
    """Everybody that the protocol knows: moderators, old clients, users, who waits, and who is away."""

    def __init__(self, engine: Engine) -> None:
        self.house = House(engine, **SETTINGS)
        self.outlets: dict[str, Outlet] = {}
        hub = self.house.hub
        for userid, room, extensions in (
            ("ann", "tea", ["state", "resume"]),
            ("bob", "tea", []),
            ("", "tea", ["state"]),
            ("", "coffee", []),
            ("cat", "meeting-1", []),
            ("", "meeting-1", ["resume"]),
            ("", "lounge", ["state"]),
            ("", "", []),
        ):
            outlet = Outlet()
            one = hub.connect(Arrival(remote=HERE, local=HERE, userid=userid), outlet)
            self.outlets[one.public_id] = outlet
            self.house.say(one, "Hello", {"Name": room, "Ua": "Test", "Extensions": extensions})
        people = list(hub.people.values())
        self.house.say(people[0], "Moderate", {"Action": "settings", "Lobby": True, "History": True})
        for outlet, extensions in ((Outlet(), ["state"]), (Outlet(), [])):
            one = hub.connect(Arrival(remote=HERE, local=HERE), outlet)
            self.outlets[one.public_id] = outlet
            self.house.say(one, "Hello", {"Name": "tea", "Extensions": extensions})
        away = people[5]
        hub.lost(away, self.outlets[away.public_id], CloseReason.PEER, may_return=True)
        self.tokens = [
            hub.identity.contact_token("ann", "bob"),
            hub.identity.attestation(people[1].public_id),
        ]
        self.listen()

    @property
    def people(self) -> list[Participant]:
        return list(self.house.hub.people.values())

    def listen(self) -> dict[str, list[dict[str, Any]]]:
        """What everybody has heard since the last time, by Id."""
        heard = {public_id: outlet.documents() for public_id, outlet in self.outlets.items()}
        return {public_id: documents for public_id, documents in heard.items() if documents}

    def snapshot(self) -> Snapshot:
        """All that a document may change, but for what is counted."""
        hub = self.house.hub
        return {
            "rooms": {room.id: _room(room) for room in hub.rooms},
            "people": {one.public_id: _person(one) for one in self.people},
            "users": {userid: sorted(sessions) for userid, sessions in hub.users.items()},
            "pictures": len(hub.pictures),
            "away": sorted(hub._away),
            "returning": sorted(hub._returning),
            "lobbies": sorted(room.id for room in hub.lobbies),
            "closing": sorted(room.id for room in hub._closing),
        }

    def check(self) -> None:
        """No ghost: whoever is in a room knows it, and whoever thinks to be in one is."""
        hub = self.house.hub
        for room in hub.rooms:
            for public_id, one in room.members.items():
                assert hub.people.get(public_id) is one
                assert one.room is room
            for public_id, one in room.waiting.items():
                assert hub.people.get(public_id) is one
                assert one.waiting_for is room
            assert room.moderators <= room.members.keys(), room
            assert room.hands.keys() <= room.members.keys()
            assert room.history is None or len(room.history) <= SETTINGS["history_limit"]
            if room.members and room.parent is None:
                assert room.moderators, f"{room} has nobody who decides"
        for one in self.people:
            assert one.state is not SessionState.CLOSED
            assert one.room is None or one.room.members.get(one.public_id) is one
            assert one.room is None or hub.rooms.get(one.room.id) is one.room
            assert one.waiting_for is None or one.waiting_for.waiting.get(one.public_id) is one
            assert one.room is None or one.waiting_for is None
        assert len(self.house.registry.sessions()) == len(hub.people)


def _room(room: Room) -> Snapshot:
    kept = {name: _copied(getattr(room, name)) for name in Room.__slots__}
    return {**kept, "parent": room.parent.id if room.parent else None, "breakouts": list(room.breakouts)}


def _copied(value: Any) -> Any:
    """As far down as it is changed in place."""
    if isinstance(value, dict):
        return {key: set(inner) if isinstance(inner, set) else inner for key, inner in value.items()}
    return type(value)(value) if isinstance(value, set | deque) else value


def _person(one: Participant) -> Snapshot:
    profile = one.profile
    return {
        "profile": (profile.userid, profile.ua, profile.rev, profile.status),
        "where": (one.room.id if one.room else None, one.waiting_for.id if one.waiting_for else None),
        "nonce": one.nonce,
        "image": one.image,
        "followers": set(one.followers or ()),
        "extensions": (one.shows_state, one.backlog is not None),
    }
