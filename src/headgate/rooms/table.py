"""Every room there is, and who may come into which."""

from __future__ import annotations

import hmac
import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from headgate.core.auth.throttle import Throttle
from headgate.core.config.path_names import PathPattern
from headgate.core.config.rooms_conf import RoomsConf
from headgate.rooms.documents import Hello
from headgate.rooms.participant import Participant
from headgate.rooms.refusal import Code, Refusal
from headgate.rooms.room import Room, room_id

__all__ = ["EMPTY_ROOM_AGE", "Entry", "RoomTable"]

DEFAULT_KIND = "Room"
EMPTY_ROOM_AGE = 60.0
"""Seconds that a room outlasts its last member, with its PIN."""
ROOMS_LIMIT = 50_000
"""Past it those without anybody in them go before their time, and then nobody makes one any more."""
WAITING_LIMIT = 500  # people in one lobby


class Entry(NamedTuple):
    room: Room
    waits: bool
    """In the lobby, until a moderator admits."""


class RoomTable:
    def __init__(self, *, now: Callable[[], float]) -> None:
        """`now`: monotonic seconds."""
        self._guesses = Throttle(now=now)
        """PINs that were wrong, by address and room."""
        self._rooms: dict[str, Room] = {}
        self._empty: dict[str, Room] = {}
        """The one that has been empty for longest is the first."""

    def __iter__(self) -> Iterator[Room]:
        return iter(list(self._rooms.values()))

    def __len__(self) -> int:
        return len(self._rooms)

    def get(self, id: str) -> Room | None:
        return self._rooms.get(id)

    def by_code(self, code: str) -> Room | None:
        return next((room for room in self._rooms.values() if room.code == code), None)

    # Entering

    def id_for(self, hello: Hello, settings: RoomsConf) -> str:
        return room_id(*self._place(hello, settings))

    def enter(self, participant: Participant, hello: Hello, settings: RoomsConf) -> Entry:
        """The room it comes into, made if need be, in the old server's order of checks. Raises Refusal."""
        kind, name = self._place(hello, settings)
        if not name and kind == DEFAULT_KIND and not settings.default_room_enabled:
            raise Refusal(Code.DEFAULT_ROOM_DISABLED, "The default room is not enabled")
        stranger = settings.users.enabled and not participant.profile.userid
        if settings.authorize_room_join and stranger:
            raise Refusal(Code.REQUIRES_ACCOUNT, "Room join requires a user account")
        room = self._rooms.get(room_id(kind, name))
        if room is None:
            if settings.authorize_room_creation and stranger:
                raise Refusal(Code.REQUIRES_ACCOUNT, "Room creation requires a user account")
            if hello.pin == "":
                raise Refusal(Code.AUTHORIZATION_NOT_REQUIRED, "No credentials may be provided for this room")
            return Entry(self.open(kind=kind, name=name, pin=hello.pin or ""), waits=False)
        self._check_pin(room, hello.pin, participant)
        return Entry(room, waits=_must_wait(room, participant, settings))

    def check_space(self, count: int) -> None:
        """Whether so many can be opened. Raises Refusal."""
        lacking = len(self._rooms) + count - ROOMS_LIMIT
        if lacking > 0 and len(list(itertools.islice(self._spare(), lacking))) < lacking:
            raise Refusal(Code.TOO_MANY_ROOMS, "there are too many rooms")

    def _check_pin(self, room: Room, pin: str | None, participant: Participant) -> None:
        if room.pin and pin is None:
            raise Refusal(Code.AUTHORIZATION_REQUIRED, "Valid credentials are required to join this room")
        if not room.pin and pin is not None:
            raise Refusal(Code.AUTHORIZATION_NOT_REQUIRED, "No credentials may be provided for this room")
        if not room.pin:
            return
        ip = participant.remote.host
        # Members know it: who guesses at their address must neither put them out, nor go on by them.
        is_known = participant.public_id in room.members
        if not is_known and self._guesses.blocks(ip=ip, user=room.id):
            raise Refusal(Code.INVALID_CREDENTIALS, "Too many wrong credentials; try again in a minute")
        if not hmac.compare_digest(room.pin.encode(), (pin or "").encode()):
            self._guesses.failed(ip=ip, user=room.id)
            raise Refusal(Code.INVALID_CREDENTIALS, "The provided credentials are incorrect")
        if not is_known:
            self._guesses.succeeded(ip=ip, user=room.id)

    def open(self, *, kind: str, name: str, pin: str = "") -> Room:
        """A room that is not there yet. Raises Refusal."""
        self.check_space(1)
        if len(self._rooms) >= ROOMS_LIMIT:
            self.drop(next(self._spare()))
        room = Room(kind=kind, name=name, created=datetime.now(UTC), pin=pin)
        self._rooms[room.id] = room
        return room

    @staticmethod
    def _place(hello: Hello, settings: RoomsConf) -> tuple[str, str]:
        if hello.type:
            return hello.type, hello.name
        for expression, kind in settings.room_types.items():
            pattern = PathPattern.compile(f"~{expression}")
            if pattern is not None and pattern.match(hello.name) is not None:
                return kind, hello.name
        return DEFAULT_KIND, hello.name

    # Emptiness

    def emptied(self, room: Room, *, now: float) -> None:
        """Nobody is in it any more, or it was opened for those who are to come."""
        room.empty_since = now
        self._empty.pop(room.id, None)
        self._empty[room.id] = room

    def expired(self, *, now: float) -> list[Room]:
        """Rooms whose time is over; the caller drops them."""
        over = []
        for public_id, room in list(self._empty.items()):
            if room.empty_since is None:
                del self._empty[public_id]
            elif room.empty_since + EMPTY_ROOM_AGE > now:
                break
            elif not room.keep and not any(self._is_used(one) for one in room.breakouts.values()):
                over.append(room)
        return over

    @staticmethod
    def _is_used(room: Room) -> bool:
        return bool(room.members or room.waiting)

    def _spare(self) -> Iterator[Room]:
        """That nobody misses. Somebody may be back in one: `_empty` is gone through once a second only."""
        for room in self._empty.values():
            if not (room.keep or room.breakouts or room.parent or self._is_used(room)):
                yield room

    def drop(self, room: Room) -> None:
        if self._rooms.get(room.id) is room:
            del self._rooms[room.id]
            self._empty.pop(room.id, None)
        if room.parent is not None:
            room.parent.breakouts.pop(room.label, None)


def _must_wait(room: Room, participant: Participant, settings: RoomsConf) -> bool:
    """Raises Refusal where waiting does not help."""
    own = participant.public_id
    if room.is_removed(participant) or (room.parent is not None and room.parent.is_removed(participant)):
        raise Refusal(Code.REMOVED, "a moderator has put you out of this room")
    trusted = room.moderates(own) or (room.parent is not None and room.parent.moderates(own))
    if room.parent is not None and own not in room.invited and not trusted:
        raise Refusal(Code.NOT_INVITED, "this room is for those whom a moderator has sent there")
    if own in room.members:
        return False
    trusted = trusted or own in room.admitted
    if room.locked and not trusted:
        raise Refusal(Code.ROOM_LOCKED, "the room is locked")
    if len(room.members) >= (room.limit or settings.room_limit):
        raise Refusal(Code.ROOM_FULL, "the room is full")
    if not room.lobby or trusted or not room.members:
        return False
    if len(room.waiting) >= WAITING_LIMIT:
        raise Refusal(Code.ROOM_FULL, "too many wait already")
    return True
