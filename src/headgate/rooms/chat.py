"""Chat: to one, or to everybody in the room."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from headgate.rooms import contacts
from headgate.rooms.documents import Chat, Media
from headgate.rooms.participant import Participant
from headgate.rooms.refusal import Code, Refusal

if TYPE_CHECKING:
    from headgate.rooms.hub import Hub

__all__ = ["history", "say"]

KEPT_LIMIT = 4096  # characters of a message in a room's history


def say(hub: Hub, sender: Participant, chat: Chat) -> None:
    """Raises Refusal; nobody has heard anything then."""
    target = hub.find(chat.to, sender=sender) if chat.to else None
    room = sender.room
    if target is None:
        if room is None:
            raise Refusal(Code.NOT_IN_ROOM, "a message to everybody needs a room")
        if room.mutes(sender.public_id, Media.CHAT):
            raise Refusal(Code.MUTED, "a moderator has muted your messages")
    contact = None
    if chat.contact is not None:
        contact = None if target is None else contacts.request(hub, sender, target, chat.contact)
        if contact is None:
            raise Refusal(Code.NOT_ALLOWED, "a contact request goes to another user's session, from a user's")
    data = _document(hub, chat, contact)
    if not chat.no_echo:
        sender.send(hub.frame_of(sender, data, to=sender.public_id))
    if target is not None:
        if not chat.status and contact is None:
            hub.counts.unicast_chats += 1
        target.send(hub.frame_of(sender, data, to=target.public_id))
        if chat.mid:
            _tell_sent(hub, sender, chat)
    elif room is not None:
        if not chat.status:
            hub.counts.broadcast_chats += 1
            _keep(hub, sender, chat, data)
        hub.broadcast(room, hub.frame_of(sender, data), sender=sender)


def history(hub: Hub, sender: Participant, iid: str) -> None:
    """Raises Refusal."""
    if sender.room is None:
        raise Refusal(Code.NOT_IN_ROOM, "you are in no room")
    messages = list(sender.room.history or ())
    hub.reply(sender, {"Type": "History", "Messages": messages}, iid)


def _document(hub: Hub, chat: Chat, contact: dict[str, Any] | None) -> dict[str, Any]:
    time = datetime.fromtimestamp(int(hub.wall()), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    inner: dict[str, Any] = {"Message": chat.message, "Time": time}
    if chat.no_echo:
        inner["NoEcho"] = True
    if chat.mid:
        inner["Mid"] = chat.mid
    status = dict(chat.status)
    if contact is not None:
        status["ContactRequest"] = contact
    if status:
        inner["Status"] = status
    return {"Type": "Chat", "To": chat.to, "Chat": inner}


def _tell_sent(hub: Hub, sender: Participant, chat: Chat) -> None:
    inner = {"Message": "", "Time": "", "Mid": chat.mid, "Status": {"State": "sent"}}
    data = {"Type": "Chat", "To": chat.to, "Chat": inner}
    sender.send(hub.frame_of(sender, data, to=sender.public_id))


def _keep(hub: Hub, sender: Participant, chat: Chat, data: dict[str, Any]) -> None:
    room = sender.room
    if room is None or room.history is None or not chat.message:
        return
    message = {
        "From": sender.public_id,
        "Userid": sender.profile.userid,
        "Message": chat.message[:KEPT_LIMIT],
        "Time": data["Chat"]["Time"],
    }
    room.history.append(message)
    while len(room.history) > hub.settings.history_limit:
        room.history.popleft()
