"""Into a room, out of it, and its PIN."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from headgate.rooms import moderation
from headgate.rooms.documents import Extension, Hello, RoomUpdate
from headgate.rooms.envelope import answer, conference
from headgate.rooms.participant import Participant
from headgate.rooms.refusal import Code, Refusal
from headgate.rooms.room import Room

if TYPE_CHECKING:
    from headgate.rooms.hub import Hub

__all__ = ["hello", "leave", "left", "left_frame", "update", "users", "welcome"]

USERS_LIMIT = 5000  # of one list
CONFERENCE = "Conference"


def hello(hub: Hub, participant: Participant, document: Hello, iid: str) -> None:
    """Out of where it is, unless it is there already; then in, or into the lobby."""
    if document.ua:
        participant.profile.ua = document.ua
    participant.profile.rev += 1
    participant.extend(document.extensions)
    hub.has_returned(participant)
    leave_lobby(hub, participant)
    room = participant.room
    if room is not None and room.id != hub.rooms.id_for(document, hub.settings):
        left(hub, participant, gone=False)
    try:
        entry = hub.rooms.enter(participant, document, hub.settings)
    except Refusal:
        # Also out of the one it was in and could not enter once more: nobody stays as a ghost.
        left(hub, participant, gone=False)
        raise
    if not entry.waits:
        welcome(hub, participant, entry.room, iid)
        return
    entry.room.waiting[participant.public_id] = participant
    participant.waiting_for, participant.waiting_iid = entry.room, iid
    moderation.tell_moderators(hub, entry.room)
    if not participant.shows_state:
        raise Refusal(Code.ADMISSION_REQUIRED, "a moderator has to admit you; ask again")
    hub.reply(participant, {"Type": "Waiting", "Room": entry.room.document}, iid)


def welcome(hub: Hub, participant: Participant, room: Room, iid: str) -> None:
    """In: the others hear of it first."""
    room.enter(participant)
    participant.room = room
    participant.target = room.id
    hub.registry.changed(participant)
    joined = participant.profile.joined(participant.public_id)
    hub.broadcast(room, hub.frame_of(participant, joined), sender=participant)
    data: dict[str, Any] = {
        "Type": "Welcome",
        "Room": {**room.document, "Credentials": None},
        "Users": users(hub, room),
    }
    own = participant.public_id
    if participant.shows_state or participant.backlog is not None:
        data["Extensions"] = [extension.value for extension in Extension]
    if participant.shows_state:
        data["State"] = room.state(moderator=own in room.moderators)
    if participant.backlog is not None:
        data["Resume"] = {"Timeout": hub.settings.resume_timeout, "Seq": participant.backlog.seq}
    participant.send_unnumbered(answer(data, own=own, iid=iid))
    _confer(room)
    if own in room.moderators or room.parent is not None:
        moderation.tell_state(room, but=participant)
    if room.parent is not None:
        moderation.tell_state(room.parent)


def leave(hub: Hub, participant: Participant) -> None:
    leave_lobby(hub, participant)
    hub.has_returned(participant)
    left(hub, participant, gone=False)


def leave_lobby(hub: Hub, participant: Participant) -> None:
    room, participant.waiting_for = participant.waiting_for, None
    if room is not None:
        room.waiting.pop(participant.public_id, None)
        moderation.tell_moderators(hub, room)


def left(hub: Hub, participant: Participant, *, gone: bool) -> set[str]:
    """Out of its room, if it is in one. Who was told of it, by Id."""
    if gone:
        leave_lobby(hub, participant)
    room = participant.room
    if room is None:
        return set()
    own = participant.public_id
    concerns_state = own in room.moderators or own in room.hands or participant.outlet is None
    told = {member.public_id for member in hub.audience(room)} - {own}
    room.leave(own)
    participant.room = None
    participant.target = None
    hub.broadcast(room, left_frame(hub, participant, gone=gone), sender=participant)
    if not gone:
        hub.registry.changed(participant)
    if not room.members:
        hub.rooms.emptied(room, now=hub.now())
    elif concerns_state:
        moderation.tell_state(room)
    if room.parent is not None:
        moderation.tell_state(room.parent)
    return told


def left_frame(hub: Hub, participant: Participant, *, gone: bool) -> bytes:
    data = {"Type": "Left", "Id": participant.public_id, "Status": "hard" if gone else "soft"}
    return hub.frame_of(participant, data)


def update(hub: Hub, participant: Participant, document: RoomUpdate, iid: str) -> None:
    """Everybody in a room may set its PIN, as ever."""
    room = participant.room
    if room is None or document.name != room.name or document.type not in {"", room.kind}:
        raise Refusal(Code.NOT_IN_ROOM, "Cannot update other rooms")
    credentials = None
    if document.pin is not None:
        room.pin = document.pin
        credentials = {"PIN": document.pin}
    # Type is always Room: with the room's own an old client takes it for a Conference document.
    data = {"Type": "Room", "Name": room.name, "Credentials": credentials}
    hub.reply(participant, data, iid)
    hub.broadcast(room, hub.frame_of(participant, data), sender=participant)
    _confer(room)


def users(hub: Hub, room: Room) -> list[dict[str, Any]]:
    """Their session objects."""
    return [one.profile.document(one.public_id) for one in _present(hub, room)]


def _present(hub: Hub, room: Room) -> Iterator[Participant]:
    count = 0
    for member in room.members.values():
        if count == USERS_LIMIT:
            return
        count += 1
        yield member
    if not hub.settings.global_room or hub.is_global(room):
        return
    for other in hub.rooms:
        if hub.is_global(other):
            yield from list(other.members.values())[: USERS_LIMIT - count]


def _confer(room: Room) -> None:
    if room.kind != CONFERENCE or len(room.members) < 2:
        return
    frame = conference(room.id, list(room.members))
    for member in room.members.values():
        member.send(frame)
