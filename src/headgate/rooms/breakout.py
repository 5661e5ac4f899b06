"""Breakout rooms: opened by a moderator for those whom they name, and closed again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headgate.rooms.documents import Label
from headgate.rooms.participant import Participant
from headgate.rooms.refusal import Code, Refusal
from headgate.rooms.room import Room, room_id

if TYPE_CHECKING:
    from headgate.rooms.hub import Hub

__all__ = ["gather", "open_rooms"]

GATHER_TIMEOUT = 30.0  # seconds to say Hello in the room one was called back to
NAME_LIMIT = 255


def open_rooms(hub: Hub, parent: Room, labels: Sequence[Label]) -> None:
    """In place of those that are open; whoever is in one that stays, stays. Raises Refusal."""
    if parent.parent is not None:
        raise Refusal(Code.NOT_ALLOWED, "a breakout room has none of its own")
    for label in labels:
        name = f"{parent.name}/{label.label}"
        present = hub.rooms.get(room_id(parent.kind, name))
        if len(name) > NAME_LIMIT or (present is not None and present.parent is not parent):
            raise Refusal(Code.NOT_ALLOWED, f"there can be no room {label.label}")
    wanted = {label.label for label in labels}
    hub.rooms.check_space(len(wanted - parent.breakouts.keys()))
    for label_gone in [label for label in parent.breakouts if label not in wanted]:
        _end(hub, parent.breakouts[label_gone], parent)
    for label in labels:
        room = parent.breakouts.get(label.label)
        if room is None or room.ends is not None:
            room = room or hub.rooms.open(kind=parent.kind, name=f"{parent.name}/{label.label}")
            room.ends, room.locked = None, False
            room.parent, room.label = parent, label.label
            parent.breakouts[label.label] = room
            if not room.members:
                hub.rooms.emptied(room, now=hub.now())
            room.keep = True
        room.invited = frozenset(label.ids)
        for public_id in label.ids:
            if (member := parent.members.get(public_id)) is not None:
                _send_to(hub, member, room)


def gather(hub: Hub, parent: Room) -> None:
    """Everybody back."""
    for room in list(parent.breakouts.values()):
        _end(hub, room, parent)


def _end(hub: Hub, room: Room, parent: Room) -> None:
    room.locked, room.keep = True, False
    room.invited = frozenset()
    for member in list(room.members.values()):
        # Those who came straight here are let in as well: a moderator has called them.
        parent.admit(member)
        _send_to(hub, member, parent)
    hub.will_close(room, after=GATHER_TIMEOUT)


def _send_to(hub: Hub, member: Participant, room: Room) -> None:
    hub.reply(member, {"Type": "Moved", "Room": room.document}, "")
