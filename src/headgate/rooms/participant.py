"""One browser: what the others see of it, where it is, and how it is reached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from headgate.core.service import Endpoint, Service
from headgate.core.session import CloseReason, Session, SessionId, Totals
from headgate.rooms.backlog import Backlog
from headgate.rooms.documents import Extension

if TYPE_CHECKING:
    from headgate.rooms.room import Room

__all__ = ["Arrival", "Nonce", "Outlet", "Participant", "Profile"]

PRIORITY = 100
"""Of every session, as the old server has it."""


class Outlet(Protocol):
    """The socket of a participant, as the hub needs it."""

    def send(self, frame: bytes) -> None:
        """Never waits. What cannot be sent ends the connection."""

    def close(self, reason: CloseReason) -> None:
        """Say goodbye and close; nothing is heard of it any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Somebody connects: who, from where, and what their request said."""

    remote: Endpoint
    local: Endpoint
    host: str = ""
    """The name by which the client reached us, without port."""
    user_agent: str = ""
    token: str = ""
    seen: int | None = None
    userid: str = ""
    """As a proxy or a certificate says."""


@dataclass(frozen=True, slots=True)
class Nonce:
    """Given out over REST, spent in an Authentication."""

    value: str
    userid: str
    expires: float


class Profile:
    """What others are told."""

    __slots__ = ("rev", "size", "status", "ua", "userid")

    def __init__(self, userid: str) -> None:
        self.userid = userid
        self.ua = ""
        self.rev = 0
        """Counts changes."""
        self.status: Any = None
        self.size = 0
        """Bytes of it as it came, without its picture."""

    def document(self, id: str, *, kind: str = "Online") -> dict[str, Any]:
        """The session object of a list of users."""
        return {"Type": kind, "Id": id, **self.fields(rev=True), "Prio": PRIORITY, **self.shown_status()}

    def joined(self, id: str) -> dict[str, Any]:
        return {"Type": "Joined", "Id": id, **self.fields(), "Prio": PRIORITY, **self.shown_status()}

    def changed(self, id: str) -> dict[str, Any]:
        """The Status document of it."""
        user = {"Userid": self.userid} if self.userid else {}
        return {"Type": "Status", "Id": id, **user, "Status": self.status, "Rev": self.rev, "Prio": PRIORITY}

    def fields(self, *, rev: bool = False) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        if self.userid:
            fields["Userid"] = self.userid
        if self.ua:
            fields["Ua"] = self.ua
        if rev and self.rev:
            fields["Rev"] = self.rev
        return fields

    def shown_status(self) -> dict[str, Any]:
        return {} if self.status is None else {"Status": self.status}


class Welcomed:
    """The lease of everybody here: it does not run out, and a server that drains waits for who has one."""

    def release(self) -> None:
        pass


WELCOMED = Welcomed()


class Participant(Session):
    """A session of the service Rooms. The hub owns it; `room` and `waiting_for` are set by it alone."""

    def __init__(
        self,
        *,
        id: SessionId,
        service: Service,
        created: datetime,
        arrival: Arrival,
        sid: str,
        public_id: str,
        userid: str,
        end: Callable[[Participant, CloseReason], None],
    ) -> None:
        super().__init__(id=id, service=service, remote=arrival.remote, local=arrival.local, created=created)
        self.user_agent = arrival.user_agent
        self.user = userid or None
        self.lease = WELCOMED
        self.transport = "TCP"
        self.public_id = public_id
        """Id in the protocol."""
        self.sid = sid
        self.host = arrival.host
        self.profile = Profile(userid)
        self.outlet: Outlet | None = None
        """None while it is away."""
        self.backlog: Backlog | None = None
        """Of those who may come back."""
        self.shows_state = False
        self.room: Room | None = None
        self.waiting_for: Room | None = None
        """The lobby it is in, with `waiting_iid` for the answer."""
        self.waiting_iid = ""
        self.nonce: Nonce | None = None
        self.image: str | None = None
        """Of the buddy picture."""
        self.followers: set[str] | None = None
        """Ids of those who look at it as a contact, and must hear when it goes."""
        self.traffic = [0, 0, 0, 0]
        """Bytes in and out, documents in and out."""
        self.attestation = ""
        """What proves to others that it is who it is, made anew from the time `attestation_ends` on."""
        self.attestation_ends = 0.0
        self._end = end

    @property
    def flows(self) -> Sequence[int]:
        return ()

    @property
    def finished(self) -> Totals | None:  # counted here, not by the engine
        received, sent, documents_in, documents_out = self.traffic
        return Totals(
            bytes_received=received,
            bytes_sent=sent,
            packets_received=documents_in,
            packets_sent=documents_out,
        )

    @finished.setter
    def finished(self, _: Totals | None) -> None:
        """Nothing to keep."""

    def extend(self, extensions: frozenset[Extension]) -> None:
        """What this client understands, as its Hello says."""
        self.shows_state = Extension.STATE in extensions
        if Extension.RESUME not in extensions:
            self.backlog = None
        elif self.backlog is None:
            self.backlog = Backlog()

    def send(self, frame: bytes) -> None:
        """A numbered document: it is kept for whoever may come back."""
        if self.backlog is not None:
            self.backlog.add(frame)
        self.send_unnumbered(frame)

    def send_unnumbered(self, frame: bytes) -> None:
        outlet = self.outlet
        if outlet is not None:
            traffic = self.traffic
            traffic[1] += len(frame)
            traffic[3] += 1
            outlet.send(frame)

    def end(self, reason: CloseReason) -> None:
        self._end(self, reason)
