"""Rooms for operators: `core.room_directory`, of the hub."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from headgate.core.errors import NotFound, Refused
from headgate.core.room_directory import ParticipantView, RoomView
from headgate.rooms import moderation
from headgate.rooms.door import RoomsDoor
from headgate.rooms.envelope import from_server
from headgate.rooms.hub import Hub
from headgate.rooms.refusal import Refusal
from headgate.rooms.room import Room, room_id

__all__ = ["HubDirectory"]


class HubDirectory:
    def __init__(self, hub: Callable[[], Hub], door: Callable[[], RoomsDoor]) -> None:
        self._hub = hub
        self._door = door

    def rooms(self) -> Sequence[RoomView]:
        return [_view(room) for room in self._hub().rooms]

    def room(self, id: str) -> RoomView:
        return _view(self._find(id))

    def participants(self, id: str) -> Sequence[ParticipantView]:
        room = self._find(id)
        return [
            ParticipantView(
                id=public_id,
                userid=member.profile.userid,
                session=member.id,
                moderator=public_id in room.moderators,
                away=member.outlet is None,
            )
            for public_id, member in room.members.items()
        ]

    def open(
        self, *, type: str, name: str, pin: str, limit: int, lobby: bool, locked: bool, keep: bool
    ) -> RoomView:
        hub = self._hub()
        if hub.rooms.get(room_id(type, name)) is not None:
            raise Refused("room already exists")
        try:
            room = hub.rooms.open(kind=type, name=name, pin=pin)
        except Refusal as refusal:
            raise Refused(str(refusal)) from None
        room.limit, room.lobby, room.locked, room.keep = limit, lobby, locked, keep
        hub.rooms.emptied(room, now=hub.now())
        return _view(room)

    def close(self, id: str, *, reason: str) -> None:
        moderation.close(self._hub(), self._find(id), reason)

    def announce(self, id: str, message: str) -> int:
        frame = from_server({"Type": "Announcement", "Message": message})
        members = list(self._find(id).members.values())
        for member in members:
            member.send(frame)
        return len(members)

    def counts(self) -> Mapping[str, int]:
        hub = self._hub()
        return {
            "rooms": len(hub.rooms),
            "participants": sum(len(room.members) for room in hub.rooms),
            "waiting": sum(len(room.waiting) for room in hub.rooms),
            "pictures": len(hub.pictures),
            "connections_total": hub.counts.connections,
            "connections_turned_away_total": self._door().turned_away,
            "connections_resumed_total": hub.counts.resumed,
            "broadcast_chats_total": hub.counts.broadcast_chats,
            "unicast_chats_total": hub.counts.unicast_chats,
            "errors_total": hub.counts.errors,
        }

    def _find(self, id: str) -> Room:
        room = self._hub().rooms.by_code(id)
        if room is None:
            raise NotFound("room not found")
        return room


def _view(room: Room) -> RoomView:
    return RoomView(
        id=room.code,
        type=room.kind,
        name=room.name,
        created=room.created,
        participants=len(room.members),
        waiting=len(room.waiting),
        locked=room.locked,
        lobby=room.lobby,
        limit=room.limit,
        pin=bool(room.pin),
        keep=room.keep,
    )
