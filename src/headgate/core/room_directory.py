"""The rooms as operators look at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from headgate.core.session import SessionId

__all__ = ["ParticipantView", "RoomDirectory", "RoomView"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomView:
    """A room now."""

    id: str
    """13 characters of A-Z and 0-9; made by the server."""
    type: str
    name: str
    created: datetime
    participants: int
    waiting: int
    locked: bool
    lobby: bool
    limit: int
    """0: as configured."""
    pin: bool
    """Whether there is one."""
    keep: bool
    """It stays without anybody in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantView:
    id: str
    """In the channelling protocol."""
    userid: str
    session: SessionId
    moderator: bool
    away: bool
    """Its connection is lost, and may come back."""


class RoomDirectory(Protocol):
    """The methods raise NotFound where there is no such room."""

    def rooms(self) -> Sequence[RoomView]: ...

    def room(self, id: str) -> RoomView: ...

    def participants(self, id: str) -> Sequence[ParticipantView]: ...

    def open(
        self, *, type: str, name: str, pin: str, limit: int, lobby: bool, locked: bool, keep: bool
    ) -> RoomView:
        """Raises Refused: it is there already, or there are too many."""

    def close(self, id: str, *, reason: str) -> None:
        """Put everybody out; the room is gone when this returns."""

    def announce(self, id: str, message: str) -> int:
        """Tell everybody in it something; how many were told."""

    def counts(self) -> Mapping[str, int]:
        """What is counted, by the name it has in metrics without `headgate_rooms_`."""
