"""A session is one client's dialogue with one service: who, since when, about what, how much."""

from __future__ import annotations

import enum
import os
import string
import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, Self

from msgspec import Struct
from msgspec.structs import replace

from headgate.core.enumeration import plain_members
from headgate.core.service import Endpoint, Service
from headgate.engine import Counters

__all__ = ["CloseReason", "Held", "Role", "Session", "SessionId", "SessionState", "Totals"]

CODE_ALPHABET = string.ascii_uppercase + string.digits
CODE_LENGTH = 13  # 67 random bits; the form of seed 004's client ids
CODES = len(CODE_ALPHABET) ** CODE_LENGTH
UUID_VERSION_4 = 4 << 76 | 2 << 62  # RFC 9562 5.4
UUID_RANDOM = ~(15 << 76 | 3 << 62)


@plain_members
class SessionState(enum.StrEnum):
    NEW = "new"
    ACTIVE = "active"
    DRAINING = "draining"
    CLOSED = "closed"


@plain_members
class Role(enum.StrEnum):
    """What a session does with its target."""

    IDLE = "idle"
    READ = "read"
    PUBLISH = "publish"
    RELAY = "relay"


@plain_members
class CloseReason(enum.StrEnum):
    """Why a session ended. The value is shown to operators."""

    KICKED = "kicked by an operator"
    PEER = "closed by the client"
    GOODBYE = "ended by the client"
    """The protocol's own goodbye: TEARDOWN, BYE."""
    READ_TIMEOUT = "nothing was received for too long"
    WRITE_TIMEOUT = "the client stopped taking data"
    PROTOCOL_ERROR = "the client broke the protocol"
    PUBLISHER_GONE = "the publisher left"
    OVERRIDDEN = "another publisher took the path"
    SOURCE_LOST = "the source failed"
    UNWANTED = "nobody reads it any more"
    RECONFIGURED = "its path is not configured any more"
    CLOSED_DOWN = "where it came in is not configured any more"
    EXPIRED = "its access has run out"
    REVOKED = "its access was taken away"
    UNCONFIRMED = "its access could not be confirmed"
    LAPSED = "it was not refreshed in time"
    SHUTDOWN = "the server is stopping"
    FAULT = "a bug in the server"


class SessionId(Struct, frozen=True, gc=False):
    """One identity in the form each dialect prints. Made by `Registry`, never by a client.

    Sessions are opened far more often than they are printed: forms are made when they are asked for.
    """

    uuid_number: int
    """The UUID's 128 bits."""
    number: int
    """`/v1`; counts up from 1 within one node."""
    code_number: int
    """The code, read as a number of base 36."""
    node: str
    """The node that owns the session; "" where there is one only."""

    @classmethod
    def make(cls, number: int, node: str) -> SessionId:
        # One draw for both, as each is a system call. A remainder of 128 bits is even to 1 in 2^60.
        drawn = os.urandom(32)
        bits = int.from_bytes(drawn[:16]) & UUID_RANDOM | UUID_VERSION_4
        return cls(bits, number, int.from_bytes(drawn[16:]) % CODES, node)

    @property
    def uuid(self) -> uuid.UUID:
        """`/v3`"""
        return uuid.UUID(int=self.uuid_number)

    @property
    def code(self) -> str:
        """`/api/v1/applications`; 13 characters of A-Z and 0-9."""
        rest, code = self.code_number, ""
        for _ in range(CODE_LENGTH):
            rest, digit = divmod(rest, len(CODE_ALPHABET))
            code += CODE_ALPHABET[digit]
        return code

    @staticmethod
    def read_code(code: str) -> int | None:
        """The number of a code; None for a text that is none."""
        if len(code) != CODE_LENGTH:
            return None
        number = 0
        for character in reversed(code):
            digit = CODE_ALPHABET.find(character)
            if digit < 0:
                return None
            number = number * len(CODE_ALPHABET) + digit
        return number


class Totals(Struct, frozen=True, kw_only=True, gc=False):
    """What a session moved so far, seen from the server."""

    bytes_received: int = 0
    bytes_sent: int = 0
    packets_received: int = 0
    packets_sent: int = 0
    packets_lost: int = 0
    packets_in_error: int = 0
    packets_discarded: int = 0
    """Not sent, because the client was too slow."""
    packets_queued: int = 0
    """Waiting to be sent now."""
    control_packets_received: int = 0
    """RTCP."""
    control_packets_sent: int = 0
    control_packets_in_error: int = 0
    jitter_ticks: int = 0
    """RFC 3550's interarrival jitter in RTP timestamp units."""
    jitter_s: float = 0.0
    idle_s: float = 0.0
    """Seconds since something last arrived."""

    @classmethod
    def of(cls, counters: Counters) -> Self:
        """What one flow moved."""
        return cls(
            bytes_received=counters.bytes_received,
            bytes_sent=counters.bytes_sent,
            packets_received=counters.packets_received,
            packets_sent=counters.packets_sent,
            packets_lost=counters.packets_lost,
            packets_in_error=counters.packets_in_error,
            packets_discarded=counters.packets_discarded,
            packets_queued=counters.queued_packets,
            control_packets_received=counters.rtcp_packets_received,
            control_packets_sent=counters.rtcp_packets_sent,
            control_packets_in_error=counters.rtcp_packets_in_error,
            jitter_ticks=counters.jitter_ticks,
            jitter_s=counters.jitter_s,
            idle_s=counters.idle_s,
        )

    def since(self, earlier: Totals) -> Totals:
        """What came after those, which were read of the same session before."""
        rest = {
            name: getattr(self, name) - getattr(earlier, name)
            for name in Totals.__struct_fields__
            if name not in ("jitter_ticks", "jitter_s", "idle_s")
        }
        return replace(self, **rest)

    def __add__(self, later: Totals) -> Totals:
        """With those of a later flow of the same session: jitter is the worse one, idleness the later's."""
        summed = {
            name: getattr(self, name) + getattr(later, name)
            for name in Totals.__struct_fields__
            if name not in ("jitter_ticks", "jitter_s", "idle_s")
        }
        return Totals(
            jitter_ticks=max(self.jitter_ticks, later.jitter_ticks),
            jitter_s=max(self.jitter_s, later.jitter_s),
            idle_s=later.idle_s,
            **summed,
        )


class Held(Protocol):
    """Something that must be let go when a session ends."""

    def release(self) -> None: ...


class Session(ABC):
    """The part of a session that every wing and dialect shares.

    A wing subclasses it, opens it with `Registry.open` and ends it with
    `Registry.close`, which calls `end` exactly once.
    """

    def __init__(
        self, *, id: SessionId, service: Service, remote: Endpoint, local: Endpoint, created: datetime
    ) -> None:
        self.id = id
        self.service = service
        self.remote = remote
        self.local = local
        """The server's address as the client reached it."""
        self.created = created
        self.state = SessionState.NEW
        self.close_reason: CloseReason | None = None
        self.user: str | None = None
        self.lease: Held | None = None
        """What its access depends on (`core.auth.lease`)."""
        self.user_agent = ""
        self.role = Role.IDLE
        self.target: str | None = None
        """What the session is about: a path name, a room, a relayed address, a database."""
        self.query = ""
        """The query string the client gave with its target, without "?"."""
        self.transport: str | None = None
        """How its packets travel, where the protocol leaves a choice: "TCP", "UDP"."""
        self.finished: Totals | None = None
        """Of the flows that are gone from `flows` while the session goes on; None before the first."""

    @property
    def kind(self) -> str:
        """What `/v3` calls it where it is a path's source or reader."""
        return f"{self.service.protocol}Session"

    @property
    @abstractmethod
    def flows(self) -> Sequence[int]:
        """The engine's handles whose counters are this session's; empty before any media."""

    def finish(self, counters: Counters) -> None:
        """Keep what a flow moved in the end. Its owner takes it out of `flows`."""
        totals = Totals.of(counters)
        self.finished = totals if self.finished is None else self.finished + totals

    @abstractmethod
    def end(self, reason: CloseReason) -> None:
        """Say the protocol's goodbye and let go of everything held. Called once, by the registry."""

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.id.number} {self.state} {self.role} "
            f"target={self.target!r} remote={self.remote}>"
        )
