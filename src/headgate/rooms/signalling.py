"""What two browsers say to each other to be connected: passed on as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.rooms.documents import Conference, Signal
from headgate.rooms.participant import Participant

if TYPE_CHECKING:
    from headgate.rooms.hub import Hub

__all__ = ["confer", "relay"]


def relay(hub: Hub, sender: Participant, signal: Signal) -> None:
    """Offer, Answer, Candidate, Bye. Raises Refusal."""
    target = hub.find(signal.to, sender=sender)
    kind = str(signal.type)
    data = {"To": target.public_id, "Type": kind, kind: signal.payload}
    target.send(hub.frame_of(sender, data, to=target.public_id))


def confer(hub: Hub, sender: Participant, document: Conference) -> None:
    """To each of those it names; the server's own ones rule where the room is a conference.

    Raises Refusal, and then nobody was told.
    """
    if sender.room is not None and sender.room.kind == "Conference":
        return
    data = {"Type": "Conference", "Id": document.id, "Conference": list(document.ids)}
    present = [one for one in dict.fromkeys(document.ids) if one != sender.public_id and one in hub.people]
    for target in [hub.find(one, sender=sender) for one in present]:
        target.send(hub.frame_of(sender, data, to=target.public_id))
