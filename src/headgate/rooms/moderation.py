"""What a room's moderators decide, and how everybody in it learns of that."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from headgate.rooms import breakout, joining
from headgate.rooms.documents import Action, Hand, Media, Moderate, Settings
from headgate.rooms.envelope import answer, from_server
from headgate.rooms.participant import Participant
from headgate.rooms.refusal import Code, Refusal
from headgate.rooms.room import DECISION_LIMIT, Room

if TYPE_CHECKING:
    from headgate.rooms.hub import Hub

__all__ = ["LOBBY_INTERVAL", "close", "moderate", "put_out", "raise_hand", "tell_moderators", "tell_state"]

LOBBY_INTERVAL = 0.5  # seconds


def moderate(hub: Hub, sender: Participant, room: Room, order: Moderate, iid: str) -> None:
    """Raises Refusal; nothing has changed then."""
    if sender.public_id not in room.moderators:
        raise Refusal(Code.NOT_A_MODERATOR, "only a moderator may do this")
    match order.action:
        case Action.ADMIT:
            _admit(hub, room, order.id)
        case Action.DENY:
            _deny(hub, room, order.id)
        case Action.REMOVE:
            target = _member(room, order.id)
            if target is sender:
                raise Refusal(Code.NOT_ALLOWED, "leave instead")
            if not room.remove(target):
                raise Refusal(Code.NOT_ALLOWED, "the room remembers too many already; close it")
            room.forget_moderator(order.id)
            put_out(hub, target, reason=order.reason)
        case Action.MUTE | Action.UNMUTE:
            _mute(room, order)
        case Action.LOWER:
            for public_id in [order.id] if order.id else list(room.hands):
                room.hands.pop(public_id, None)
        case Action.PROMOTE:
            room.moderators.add(_member(room, order.id).public_id)
        case Action.DEMOTE:
            if room.moderators == {_member(room, order.id).public_id}:
                raise Refusal(Code.NOT_ALLOWED, "the last moderator stays one")
            room.forget_moderator(order.id)
        case Action.SETTINGS:
            _set(hub, room, order.settings)
        case Action.CLOSE:
            hub.reply(sender, {"Type": "State", "State": room.state(moderator=True)}, iid)
            close(hub, room, order.reason)
            return
        case Action.BREAKOUT:
            breakout.open_rooms(hub, room, order.rooms)
        case Action.GATHER:
            breakout.gather(hub, room)
    moderator = sender.public_id in room.moderators
    hub.reply(sender, {"Type": "State", "State": room.state(moderator=moderator)}, iid)
    tell_state(room, but=sender)


def raise_hand(sender: Participant, room: Room, document: Hand, iid: str) -> None:
    own = sender.public_id
    if document.raised:
        room.hands.setdefault(own)
    else:
        room.hands.pop(own, None)
    state = room.state(moderator=own in room.moderators)
    sender.send(answer({"Type": "State", "State": state}, own=own, iid=iid))
    tell_state(room, but=sender)


def tell_state(room: Room, *, but: Participant | None = None) -> None:
    """To everybody in it who understands it; made twice at most, however many they are."""
    frames: dict[bool, bytes] = {}
    for public_id, member in room.members.items():
        if not member.shows_state or member is but:
            continue
        moderator = public_id in room.moderators
        if moderator not in frames:
            frames[moderator] = from_server({"Type": "State", "State": room.state(moderator=moderator)})
        member.send(frames[moderator])


def tell_moderators(hub: Hub, room: Room) -> None:
    """Of the lobby, which is nobody else's business.

    At once, and then not again for a moment: strangers come and go as fast as they like.
    """
    if hub.now() < room.lobby_told + LOBBY_INTERVAL:
        hub.lobbies.add(room)
        return
    room.lobby_told = hub.now()
    hub.lobbies.discard(room)
    frame: bytes | None = None
    for public_id in room.moderators:
        member = room.members.get(public_id)
        if member is not None and member.shows_state:
            frame = frame or from_server({"Type": "State", "State": room.state(moderator=True)})
            member.send(frame)


def put_out(hub: Hub, target: Participant, *, reason: str) -> None:
    """Out of the room it is in, and told so."""
    room = target.room
    if room is None:
        return
    joining.left(hub, target, gone=False)
    hub.has_returned(target)
    hub.reply(target, {"Type": "Removed", "Room": room.document, "Reason": reason}, "")


def close(hub: Hub, room: Room, reason: str) -> None:
    """Everybody out, of its breakout rooms too, and it is gone."""
    for child in list(room.breakouts.values()):
        close(hub, child, reason)
    for public_id, one in list(room.waiting.items()):
        del room.waiting[public_id]
        one.waiting_for = None
        hub.refuse(one, _denied(one))
    for member in list(room.members.values()):
        put_out(hub, member, reason=reason)
    hub.closed(room)


def _admit(hub: Hub, room: Room, id: str) -> None:
    target = room.waiting.get(id) or hub.people.get(id)
    if target is None:
        raise Refusal(Code.NO_SUCH_SESSION, "nobody waits with this Id")
    if not room.admit(target):
        raise Refusal(Code.NOT_ALLOWED, "the room remembers too many already; close it")
    if room.waiting.pop(id, None) is None:
        return
    target.waiting_for = None
    if target.shows_state:
        # It may have been put out elsewhere meanwhile, but it is in no room, or it would not wait.
        joining.welcome(hub, target, room, target.waiting_iid)


def _deny(hub: Hub, room: Room, id: str) -> None:
    target = room.waiting.pop(id, None)
    if target is None:
        raise Refusal(Code.NO_SUCH_SESSION, "nobody waits with this Id")
    target.waiting_for = None
    hub.refuse(target, _denied(target))


def _denied(target: Participant) -> Refusal:
    refusal = Refusal(Code.REMOVED, "a moderator did not let you in")
    refusal.iid = target.waiting_iid
    return refusal


def _mute(room: Room, order: Moderate) -> None:
    media = order.media or Media.AUDIO
    if order.id:
        targets = [_member(room, order.id).public_id]
    else:
        targets = [public_id for public_id in room.members if public_id not in room.moderators]
    for public_id in targets:
        if order.action is Action.UNMUTE:
            kept = room.muted.get(public_id, set()) - {media}
        elif len(room.muted) < DECISION_LIMIT or public_id in room.muted:
            kept = room.muted.get(public_id, set()) | {media}
        else:
            raise Refusal(Code.NOT_ALLOWED, "the room remembers too many already; close it")
        if kept:
            room.muted[public_id] = kept
        else:
            room.muted.pop(public_id, None)


def _set(hub: Hub, room: Room, settings: Settings) -> None:
    if settings.history and not hub.settings.history_limit:
        raise Refusal(Code.NOT_ALLOWED, "this server keeps no history")
    if settings.limit is not None:
        room.limit = min(settings.limit, hub.settings.room_limit)
    if settings.locked is not None:
        room.locked = settings.locked
    if settings.history is not None:
        if not settings.history:
            room.history = None
        elif room.history is None:
            room.history = deque()
    if settings.lobby is not None:
        room.lobby = settings.lobby
        if not room.lobby:
            for public_id in list(room.waiting):
                _admit(hub, room, public_id)


def _member(room: Room, id: str) -> Participant:
    """Raises Refusal."""
    member = room.members.get(id)
    if member is None:
        raise Refusal(Code.NO_SUCH_SESSION, "nobody in this room has this Id")
    return member
