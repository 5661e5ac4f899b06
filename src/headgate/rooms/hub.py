"""Everybody who is connected: where they meet, and where each document goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from headgate.core.config.rooms_conf import RoomsConf
from headgate.core.errors import Draining, Refused
from headgate.core.registry import Registry
from headgate.core.relay_credentials import MintRelayCredential
from headgate.core.service import Service
from headgate.core.session import CloseReason, SessionState
from headgate.rooms import chat, contacts, diary, entrance, joining, moderation, signalling, statuses
from headgate.rooms.decoder import decode
from headgate.rooms.documents import (
    Alive,
    Authentication,
    Chat,
    Conference,
    Document,
    Hand,
    Hello,
    History,
    Ignored,
    Leave,
    Moderate,
    RoomUpdate,
    SelfRequest,
    Sessions,
    Signal,
    Status,
    Users,
)
from headgate.rooms.envelope import answer, error, from_sender
from headgate.rooms.identity import Identity
from headgate.rooms.participant import Arrival, Outlet, Participant
from headgate.rooms.pictures import Pictures
from headgate.rooms.refusal import Code, Refusal
from headgate.rooms.room import Room
from headgate.rooms.table import RoomTable

__all__ = ["Counts", "Hub"]

ATTESTATION_RENEWAL = 180.0  # seconds; one lives for 300
RETURN_TIMEOUT = 10.0
"""Seconds that whoever took over its own connection has for another Hello. An old client sends it at once."""


@dataclass(slots=True)
class Counts:
    """Since the start."""

    connections: int = 0
    broadcast_chats: int = 0
    unicast_chats: int = 0
    errors: int = 0
    resumed: int = 0


class Hub:
    """Owns every participant and room; no socket or task. `now` is monotonic seconds, `wall` Unix time.

    Whoever holds a socket calls `connect`, then `receive` for each message, then `lost`; and `expire` at
    least once a second.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        service: Callable[[], Service],
        settings: RoomsConf,
        identity: Identity,
        pictures: Pictures,
        mint: MintRelayCredential | None,
        now: Callable[[], float],
        wall: Callable[[], float],
        version: str,
    ) -> None:
        """`service` may be called while connections are let in only."""
        self.registry = registry
        self.settings = settings
        self.identity = identity
        self.pictures = pictures
        self.mint = mint
        self.now = now
        self.wall = wall
        self.version = version
        self.people: dict[str, Participant] = {}
        """By Id."""
        self.users: dict[str, dict[str, Participant]] = {}
        """By user id, then Id."""
        self.rooms = RoomTable(now=now)
        self.counts = Counts()
        self._service = service
        self._away: dict[str, float] = {}
        """Until when they may come back."""
        self._returning: dict[str, float] = {}
        self._closing: set[Room] = set()
        self.lobbies: set[Room] = set()
        """Whose moderators have yet to hear of it."""

    # Connections

    def check(self, arrival: Arrival) -> None:
        """Whether somebody can be taken who is not here already. Raises Draining, Refused."""
        known = self.identity.read_token(arrival.token) if arrival.token else None
        if known is not None and self.identity.id_of(known.sid) in self.people:
            return
        if self.registry.draining:
            raise Draining("the server is stopping")
        if len(self.people) >= self.settings.max_sessions:
            raise Refused("too many are connected")

    def connect(self, arrival: Arrival, outlet: Outlet) -> Participant:
        """Let in, and greeted with Self. Raises Draining."""
        self.counts.connections += 1
        known = self.identity.read_token(arrival.token) if arrival.token else None
        sid = self.identity.new_sid() if known is None else known.sid
        userid = arrival.userid or ("" if known is None else known.userid)
        if not self.settings.users.enabled:
            userid = ""
        own = self.identity.id_of(sid)
        present = self.people.get(own)
        if present is not None:
            entrance.take_over(self, present, arrival, outlet)
            return present
        participant = self.registry.open(
            lambda session_id, created: Participant(
                id=session_id,
                service=self._service(),
                created=created,
                arrival=arrival,
                sid=sid,
                public_id=own,
                userid=userid,
                end=self._ended,
            )
        )
        participant.outlet = outlet
        self.people[own] = participant
        if userid:
            self.users.setdefault(userid, {})[own] = participant
        self.registry.changed(participant)
        diary.opened(participant)
        participant.send(answer(entrance.self_document(self, participant), own=own))
        return participant

    def lost(
        self, participant: Participant, outlet: Outlet, reason: CloseReason, *, may_return: bool
    ) -> None:
        """The socket is gone. It was the participant's, unless another has taken its place."""
        if participant.outlet is not outlet:
            return
        participant.outlet = None
        in_room = participant.room is not None or participant.waiting_for is not None
        if may_return and participant.backlog is not None and in_room:
            self._away[participant.public_id] = self.now() + self.settings.resume_timeout
            self._returning.pop(participant.public_id, None)
            if participant.room is not None:
                moderation.tell_state(participant.room, but=participant)
            return
        self.registry.close(participant, reason)

    def is_back(self, participant: Participant) -> None:
        """With all it had."""
        self._away.pop(participant.public_id, None)
        self._returning.pop(participant.public_id, None)
        if participant.room is not None:
            moderation.tell_state(participant.room)

    def must_return(self, participant: Participant) -> None:
        """It stays in its room for a moment, and leaves it if it does not say so."""
        self._away.pop(participant.public_id, None)
        if participant.room is not None:
            self._returning[participant.public_id] = self.now() + RETURN_TIMEOUT

    def has_returned(self, participant: Participant) -> None:
        self._returning.pop(participant.public_id, None)

    def _ended(self, participant: Participant, reason: CloseReason) -> None:
        """Called by the registry, once, whoever ends the session."""
        own = participant.public_id
        self._away.pop(own, None)
        self._returning.pop(own, None)
        self.people.pop(own, None)
        self.forget_user(participant)
        if participant.image is not None:
            self.pictures.remove(participant.image)
        target = participant.target
        told = joining.left(self, participant, gone=True)
        participant.target = target  # the end tells where it was
        diary.closed(participant, reason)
        for follower in (participant.followers or set()) - told:
            if (one := self.people.get(follower)) is not None:
                one.send(joining.left_frame(self, participant, gone=True))
        outlet, participant.outlet = participant.outlet, None
        if outlet is not None:
            outlet.close(reason)

    def remember_user(self, participant: Participant) -> None:
        userid = participant.profile.userid
        participant.user = userid or None
        if userid:
            self.users.setdefault(userid, {})[participant.public_id] = participant

    def forget_user(self, participant: Participant) -> None:
        userid = participant.profile.userid
        of_user = self.users.get(userid)
        if of_user is not None:
            of_user.pop(participant.public_id, None)
            if not of_user:
                del self.users[userid]

    def expire(self) -> None:
        """Whatever has lasted long enough."""
        now = self.now()
        for public_id in [public_id for public_id, until in self._away.items() if until <= now]:
            self.registry.close(self.people[public_id], CloseReason.PEER)
        for public_id in [public_id for public_id, until in self._returning.items() if until <= now]:
            del self._returning[public_id]
            joining.left(self, self.people[public_id], gone=True)
            self.registry.changed(self.people[public_id])
        for room in [room for room in self._closing if room.ends is not None and room.ends <= now]:
            moderation.close(self, room, "the room was closed")
        for room in list(self.lobbies):
            moderation.tell_moderators(self, room)
        for room in self.rooms.expired(now=now):
            moderation.close(self, room, "the room was empty")

    def will_close(self, room: Room, *, after: float) -> None:
        room.ends = self.now() + after
        self._closing.add(room)

    def closed(self, room: Room) -> None:
        self._closing.discard(room)
        self.lobbies.discard(room)
        self.rooms.drop(room)

    # Documents

    def receive(self, participant: Participant, text: bytes) -> None:
        """One message. Every mistake in it is answered, and none is raised."""
        traffic = participant.traffic
        traffic[0] += len(text)
        traffic[2] += 1
        try:
            incoming = decode(text)
            try:
                self._follow(participant, incoming.document, incoming.iid)
            except Refusal as refusal:
                refusal.iid = incoming.iid
                raise
        except Refusal as refusal:
            self.refuse(participant, refusal)

    def _follow(self, sender: Participant, document: Document, iid: str) -> None:
        match document:
            case Signal():
                signalling.relay(self, sender, document)
            case Chat():
                chat.say(self, sender, document)
            case Alive(alive):
                self.reply(sender, {"Type": "Alive", "Alive": alive}, iid)
            case Status(status):
                statuses.change(self, sender, status)
            case Hello():
                joining.hello(self, sender, document, iid)
            case SelfRequest():
                self.reply(sender, entrance.self_document(self, sender), iid)
            case Leave():
                joining.leave(self, sender)
            case Users():
                room = _room_of(sender)
                self.reply(sender, {"Type": "Users", "Users": joining.users(self, room)}, iid)
            case RoomUpdate():
                joining.update(self, sender, document, iid)
            case Conference():
                signalling.confer(self, sender, document)
            case Authentication():
                entrance.authenticate(self, sender, document, iid)
            case Sessions():
                contacts.look_up(self, sender, document, iid)
            case Hand():
                moderation.raise_hand(sender, _room_of(sender), document, iid)
            case History():
                chat.history(self, sender, iid)
            case Moderate():
                moderation.moderate(self, sender, _room_of(sender), document, iid)
            case Ignored():
                pass

    # Sending

    def reply(self, participant: Participant, data: Mapping[str, Any], iid: str) -> None:
        participant.send(answer(data, own=participant.public_id, iid=iid))

    def refuse(self, participant: Participant, refusal: Refusal) -> None:
        self.counts.errors += 1
        participant.send(error(refusal, own=participant.public_id))

    def frame_of(self, sender: Participant, data: Mapping[str, Any], *, to: str = "") -> bytes:
        """An envelope with the sender's attestation."""
        now = self.now()
        if now >= sender.attestation_ends or not sender.attestation:
            sender.attestation = self.identity.attestation(sender.public_id)
            sender.attestation_ends = now + ATTESTATION_RENEWAL
        return from_sender(data, sender=sender.public_id, attestation=sender.attestation, to=to)

    def find(self, id: str, *, sender: Participant) -> Participant:
        """Raises Refusal: nobody has this Id, or the sender was put out of where it is."""
        target = self.people.get(id)
        if target is None:
            raise Refusal(Code.NO_SUCH_SESSION, "nobody has this Id")
        room = target.room
        if room is not None and target is not sender and (room.removed or room.waiting):
            if room.is_removed(sender):
                raise Refusal(Code.NOT_ALLOWED, "a moderator has put you out of that room")
            if sender.public_id in room.waiting:
                raise Refusal(Code.NOT_ALLOWED, "a moderator has to admit you first")
        return target

    def audience(self, room: Room) -> Iterable[Participant]:
        """Who hears what is said in a room: of the global one, everybody who is in any."""
        if not self.is_global(room):
            return room.members.values()
        everybody = {public_id: one for each in self.rooms for public_id, one in each.members.items()}
        return everybody.values()

    def is_global(self, room: Room) -> bool:
        return bool(self.settings.global_room) and room.name == self.settings.global_room

    def broadcast(self, room: Room, frame: bytes, *, sender: Participant) -> None:
        """To everybody in the room but the sender."""
        for member in self.audience(room):
            if member is not sender:
                member.send(frame)

    def is_here(self, participant: Participant) -> bool:
        return participant.state is not SessionState.CLOSED


def _room_of(participant: Participant) -> Room:
    """Raises Refusal."""
    if participant.room is None:
        raise Refusal(Code.NOT_IN_ROOM, "you are in no room")
    return participant.room
