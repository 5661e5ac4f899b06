"""A room: who is in it, who decides, and what holds in it."""

from __future__ import annotations

import math
import secrets
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from headgate.core.session import CODE_ALPHABET, CODE_LENGTH
from headgate.rooms.documents import Media
from headgate.rooms.participant import Participant

__all__ = ["Room", "room_id"]

FORMER_LIMIT = 64
"""Moderators who left and are moderators again when they come back."""
SHOWN_LIMIT = 256 * 1024
"""Bytes of statuses in a list of who waits; usual ones have 150 each."""
DECISION_LIMIT = 4096
"""People a room remembers to have put out, or let in."""


def room_id(kind: str, name: str) -> str:
    return f"{kind}:{name}"


class Room:
    """Kept by `Rooms`. Members are in the order in which they came."""

    __slots__ = (
        "_former",
        "admitted",
        "breakouts",
        "code",
        "created",
        "empty_since",
        "ends",
        "hands",
        "history",
        "invited",
        "keep",
        "kind",
        "label",
        "limit",
        "lobby",
        "lobby_told",
        "locked",
        "members",
        "moderators",
        "muted",
        "name",
        "parent",
        "pin",
        "removed",
        "waiting",
    )

    def __init__(self, *, kind: str, name: str, created: datetime, pin: str = "") -> None:
        self.kind = kind
        self.name = name
        self.created = created
        self.code = "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))
        """What operators call it."""
        self.pin = pin
        self.members: dict[str, Participant] = {}
        self.waiting: dict[str, Participant] = {}
        """In the lobby."""
        self.moderators: set[str] = set()
        self._former: deque[str] = deque(maxlen=FORMER_LIMIT)
        self.removed: set[str] = set()
        """Ids and user ids of who was put out."""
        self.admitted: set[str] = set()
        """Ids of who was let in though there is a lobby, or a lock."""
        self.hands: dict[str, None] = {}
        self.muted: dict[str, set[Media]] = {}
        self.locked = False
        self.lobby = False
        self.lobby_told = -math.inf
        """When its moderators heard of who waits."""
        self.limit = 0
        """Its own; 0: the configured one."""
        self.history: deque[dict[str, Any]] | None = None
        """None: what is said is not kept."""
        self.parent: Room | None = None
        """Of a breakout room, with its `label` and who is `invited`."""
        self.label = ""
        self.invited: frozenset[str] = frozenset()
        self.breakouts: dict[str, Room] = {}
        self.empty_since: float | None = None
        self.ends: float | None = None
        """When whoever is still here is put out."""
        self.keep = False
        """An operator opened it, and it stays without anybody in it."""

    @property
    def id(self) -> str:
        return room_id(self.kind, self.name)

    @property
    def document(self) -> dict[str, Any]:
        return {"Type": self.kind, "Name": self.name}

    def enter(self, participant: Participant) -> None:
        own = participant.public_id
        self.members[own] = participant
        self.empty_since = None
        if own in self._former or (not self.moderators and self.parent is None):
            self.moderators.add(own)
        if self.parent is not None and self.parent.moderates(own):
            self.moderators.add(own)

    def leave(self, id: str) -> None:
        """Whoever has been here longest takes over from the last moderator."""
        self.members.pop(id, None)
        self.hands.pop(id, None)
        if id in self.moderators:
            self.moderators.discard(id)
            self._former.append(id)
            successor = next(iter(self.members), None)
            if not self.moderators and successor is not None:
                self.moderators.add(successor)

    def moderates(self, id: str) -> bool:
        return id in self.moderators or id in self._former

    def forget_moderator(self, id: str) -> None:
        self.moderators.discard(id)
        if id in self._former:
            self._former.remove(id)

    def is_removed(self, participant: Participant) -> bool:
        """Also while it is on its way in from the lobby, or in another room."""
        userid = participant.profile.userid
        return participant.public_id in self.removed or bool(userid and f"user {userid}" in self.removed)

    def remove(self, participant: Participant) -> bool:
        """Never again; False where the room remembers too many already."""
        if len(self.removed) >= DECISION_LIMIT:
            return False
        self.admitted.discard(participant.public_id)
        self.removed.add(participant.public_id)
        if participant.profile.userid:
            self.removed.add(f"user {participant.profile.userid}")
        return True

    def admit(self, participant: Participant) -> bool:
        """Whatever was decided before; False where the room remembers too many already."""
        if len(self.admitted) >= DECISION_LIMIT:
            return False
        self.removed.discard(participant.public_id)
        self.removed.discard(f"user {participant.profile.userid}")
        self.admitted.add(participant.public_id)
        return True

    def mutes(self, id: str, media: Media) -> bool:
        return media in self.muted.get(id, ())

    def state(self, *, moderator: bool) -> dict[str, Any]:
        """The State document's inside, as a moderator or everybody else sees it."""
        state: dict[str, Any] = {
            "Moderators": [public_id for public_id in self.members if public_id in self.moderators],
            "Hands": list(self.hands),
            "Muted": {
                public_id: sorted(media)
                for public_id, media in self.muted.items()
                if public_id in self.members
            },
            "Away": [public_id for public_id, member in self.members.items() if member.outlet is None],
            "Locked": self.locked,
            "Lobby": self.lobby,
            "Limit": self.limit,
            "History": self.history is not None,
            "Breakouts": list(self._breakouts()),
        }
        if moderator:
            state["Waiting"] = list(self._who_waits())
        if self.parent is not None:
            state["Parent"] = self.parent.document
        return state

    def _who_waits(self) -> Iterator[dict[str, Any]]:
        """Strangers, who may show much of themselves: past a limit the rest have no Status."""
        size = 0
        for public_id, one in self.waiting.items():
            size += one.profile.size
            shown = one.profile.shown_status() if size <= SHOWN_LIMIT else {}
            yield {"Id": public_id, **one.profile.fields(), **shown}

    def _breakouts(self) -> Iterator[dict[str, Any]]:
        for label, room in self.breakouts.items():
            invited = sorted(room.invited)
            yield {"Name": room.name, "Label": label, "Ids": invited, "Present": len(room.members)}

    def __repr__(self) -> str:
        return f"<Room {self.id!r} members={len(self.members)} waiting={len(self.waiting)}>"
