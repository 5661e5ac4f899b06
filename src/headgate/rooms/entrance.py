"""Self: who a participant is, how it takes its place again, and how it shows whose it is."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, Any

from headgate.core.errors import Refused
from headgate.core.service import Protocol
from headgate.core.session import CloseReason
from headgate.rooms.documents import Authentication
from headgate.rooms.envelope import answer
from headgate.rooms.participant import Arrival, Outlet, Participant
from headgate.rooms.refusal import Code, Refusal

if TYPE_CHECKING:
    from headgate.rooms.hub import Hub

__all__ = ["authenticate", "self_document", "take_over"]

API_VERSION = 1.4
TURN_LIFETIME = 3600  # seconds; clients ask anew at nine tenths of it
RELAY_SCHEMES = {"UDP": ("turn", "udp"), "TCP": ("turn", "tcp"), "TLS": ("turns", "tcp")}
"""Of a listener's transport; browsers have no DTLS to a relay."""
NO_TURN: dict[str, Any] = {"username": "", "password": "", "ttl": 0, "urls": None}
"""An object all the same: the old client needs one."""


def self_document(hub: Hub, participant: Participant) -> dict[str, Any]:
    userid = participant.profile.userid
    return {
        "Type": "Self",
        "Id": participant.public_id,
        "Sid": participant.sid,
        "Userid": userid,
        "Suserid": hub.identity.secret_user_id(userid),
        "Token": hub.identity.token(sid=participant.sid, userid=userid),
        "Version": hub.version,
        "ApiVersion": API_VERSION,
        "Turn": _turn(hub, participant),
        "Stun": list(hub.settings.stun_uris),
    }


def _turn(hub: Hub, participant: Participant) -> dict[str, Any]:
    """Our own relay's where there is one that clients can reach, else those that are configured."""
    name = base64.b64encode(hashlib.sha256(participant.public_id.encode()).digest()).decode()
    if hub.mint is not None:
        try:
            minted = hub.mint(user=participant.public_id, ttl=TURN_LIFETIME)
        except (Refused, ValueError):
            pass
        else:
            urls = list(minted.urls) or _relay_urls(hub, participant.host)
            if urls:
                return {
                    "username": minted.name,
                    "password": minted.password,
                    "ttl": int(minted.ttl),
                    "urls": urls,
                }
    secret = hub.settings.turn_secret.get_secret_value()
    if not secret or not hub.settings.turn_uris:
        return NO_TURN
    username = f"{int(hub.wall()) + TURN_LIFETIME}:{name}"
    digest = hmac.digest(secret.encode(), username.encode(), "sha1")
    return {
        "username": username,
        "password": base64.b64encode(digest).decode(),
        "ttl": TURN_LIFETIME,
        "urls": list(hub.settings.turn_uris),
    }


def _relay_urls(hub: Hub, host: str) -> list[str]:
    """Our relay by the name under which the client has found us, where nobody said another."""
    return [
        f"{RELAY_SCHEMES[listener.transport][0]}:{host}:{listener.endpoint.port}"
        f"?transport={RELAY_SCHEMES[listener.transport][1]}"
        for service in hub.registry.services
        if service.protocol is Protocol.TURN and host
        for listener in service.listeners
        if listener.transport in RELAY_SCHEMES
    ]


def take_over(hub: Hub, participant: Participant, arrival: Arrival, outlet: Outlet) -> None:
    """The same session over a new socket. The old one may not know yet that it is dead."""
    old, participant.outlet = participant.outlet, outlet
    if old is not None:
        old.close(CloseReason.OVERRIDDEN)
    participant.remote, participant.local = arrival.remote, arrival.local
    participant.host = arrival.host
    participant.user_agent = arrival.user_agent
    own, backlog = participant.public_id, participant.backlog
    greeting = answer(self_document(hub, participant), own=own)
    place = participant.room or participant.waiting_for
    if backlog is None or arrival.seen is None or place is None:
        participant.backlog, participant.shows_state = None, False
        if participant.waiting_for is not None:
            participant.waiting_for.waiting.pop(own, None)
            hub.lobbies.add(participant.waiting_for)
            participant.waiting_for = None
        participant.send_unnumbered(greeting)
        hub.must_return(participant)
        hub.registry.changed(participant)
        return
    hub.counts.resumed += 1
    missed = backlog.since(arrival.seen)
    resumed = {"Type": "Resumed", "Room": place.document, "Seq": missed.seq, "Lost": missed.lost}
    participant.send_unnumbered(greeting)
    participant.send_unnumbered(answer(resumed, own=own))
    for frame in missed.frames:
        participant.send_unnumbered(frame)
    hub.is_back(participant)
    hub.registry.changed(participant)


def authenticate(hub: Hub, participant: Participant, document: Authentication, iid: str) -> None:
    """With a nonce that the REST API gave out for this very session."""
    if participant.profile.userid:
        raise Refusal(Code.ALREADY_AUTHENTICATED, "this session has a user already")
    nonce = participant.nonce
    if nonce is None or not hmac.compare_digest(nonce.value.encode(), document.nonce.encode()):
        raise Refusal(Code.INVALID_SESSION_TOKEN, "nonce validation failed")
    if nonce.expires < hub.now():
        raise Refusal(Code.INVALID_SESSION_TOKEN, "the nonce has expired")
    if nonce.userid != document.userid:
        raise Refusal(Code.INVALID_SESSION_TOKEN, "user id mismatch")
    participant.nonce = None
    participant.profile.userid = nonce.userid
    participant.profile.rev += 1
    hub.remember_user(participant)
    hub.registry.changed(participant)
    hub.reply(participant, self_document(hub, participant), iid)
    if participant.room is not None:
        told = participant.profile.changed(participant.public_id)
        hub.broadcast(participant.room, hub.frame_of(participant, told), sender=participant)
