"""Contacts: two users who find each other again, and sessions found by what proves them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headgate.rooms.documents import ContactRequest, Sessions, SessionsType
from headgate.rooms.participant import PRIORITY, Participant
from headgate.rooms.refusal import Code, Refusal

if TYPE_CHECKING:
    from headgate.rooms.hub import Hub

__all__ = ["look_up", "request"]

FOLLOWER_LIMIT = 1000  # of one session


def request(
    hub: Hub, sender: Participant, target: Participant, contact: ContactRequest
) -> dict[str, Any] | None:
    """What the other is sent; None: it is not allowed. A request gets a token, an acceptance has it back."""
    asker, asked = sender.profile.userid, target.profile.userid
    if not hub.settings.modules.contacts or not asker or not asked or asker == asked:
        return None
    document: dict[str, Any] = {"Id": contact.id, "Success": contact.success, "Userid": asker}
    if contact.success:
        # The one who accepts was asked, and the other did ask.
        if hub.identity.read_contact(contact.token) != (asked, asker):
            return None
        document["Token"] = contact.token
    elif not contact.token:
        document["Token"] = hub.identity.contact_token(asker, asked)
    return document


def look_up(hub: Hub, sender: Participant, document: Sessions, iid: str) -> None:
    """Raises Refusal."""
    match document.type:
        case SessionsType.CONTACT:
            found = _contact(hub, sender, document.token)
        case SessionsType.SESSION:
            found = _session(hub, document.token)
    hub.reply(
        sender,
        {
            "Type": "Sessions",
            "Sessions": {"Token": document.token, "Type": document.type.value},
            "Users": found,
        },
        iid,
    )


def _session(hub: Hub, token: str) -> list[dict[str, Any]]:
    own = hub.identity.read_attestation(token)
    if own is None:
        raise Refusal(Code.BAD_ATTESTATION, "this attestation is not valid any more")
    found = hub.people.get(own)
    if found is None:
        raise Refusal(Code.NO_SUCH_SESSION, "this session is over")
    return [found.profile.document(own, kind="")]


def _contact(hub: Hub, sender: Participant, token: str) -> list[dict[str, Any]]:
    if not hub.settings.modules.contacts:
        raise Refusal(Code.CONTACTS_NOT_ENABLED, "there are no contacts here")
    users = hub.identity.read_contact(token)
    own = sender.profile.userid
    if users is None or not own or own not in users:
        raise Refusal(Code.INVALID_CONTACT, "this is no contact of yours")
    other = users[1] if users[0] == own else users[0]
    sessions = list(hub.users.get(other, {}).values())
    if not sessions:
        # A made-up one, so that the client has something to show. Nobody has its Id.
        own = hub.identity.id_of(f"offline {other}")
        return [{"Type": "", "Id": own, "Userid": other, "Prio": PRIORITY}]
    for session in sessions:
        followers = session.followers = session.followers or set()
        if len(followers) < FOLLOWER_LIMIT:
            followers.add(sender.public_id)
    return [session.profile.document(session.public_id, kind="") for session in sessions]
