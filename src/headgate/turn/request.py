"""One request on its way to its answer, and who sent it."""

from __future__ import annotations

from msgspec import Struct

from headgate.turn.allocation import Allocation
from headgate.turn.refusal import ErrorCode, Refusal
from headgate.turn.relay import FiveTuple
from headgate.turn.stun.address import TransportAddress
from headgate.turn.stun.answer import Answer
from headgate.turn.stun.integrity import Integrity
from headgate.turn.stun.message import Message, MessageClass

__all__ = ["Identity", "Outgoing", "Request"]


class Identity(Struct, frozen=True, gc=False):
    """Who has shown to know a password."""

    name: str
    """USERNAME as given, prepared."""
    user: str
    """Whom quotas count for, and operators are shown."""
    key: bytes
    integrity: Integrity
    expires: float | None
    """Unix time at which the credential runs out."""
    stale: bool = False
    """Another server vouched for it so long ago that it is to be asked again."""


class Outgoing(Struct, frozen=True, gc=False):
    """A message for a client."""

    five_tuple: FiveTuple
    data: bytes
    source: TransportAddress | None = None
    """The address of ours to send it from, where that is not the one the client asked (RFC 5780)."""
    port: int = 0
    """The client's port to send it to, where `source` is given; 0: that it asked from."""
    join: int = 0
    """RFC 6062: the peer connection that this connection carries from here on; 0: none."""


class Request(Struct):
    five_tuple: FiveTuple
    message: Message
    now: float
    """Monotonic."""
    allocation: Allocation | None
    """Of the five-tuple."""
    identity: Identity | None = None
    """None: nobody, or not yet."""
    source: TransportAddress | None = None
    """Where the answer is to come from (RFC 5780 CHANGE-REQUEST)."""
    port: int = 0
    """Where it is to go to, of the client's ports (RFC 5780 RESPONSE-PORT); 0: that it asked from."""

    def success(self) -> Answer:
        return Answer(self.message.method, MessageClass.SUCCESS, self.message.transaction)

    def error(self, refusal: Refusal) -> Answer:
        answer = Answer(self.message.method, MessageClass.ERROR, self.message.transaction)
        # A reason phrase helps who reads captures; over UDP its bytes could be meant for somebody else.
        reason = refusal.code.name.encode() if self.identity is not None else b""
        answer.add_error(refusal.code, reason)
        for attribute, value in refusal.attributes:
            answer.add(attribute, value)
        return answer

    def finish(self, answer: Answer) -> bytes:
        """Protected as the request was."""
        fingerprint = bool(self.message.fingerprint_at)
        if self.identity is None:
            return answer.finish(fingerprint=fingerprint)
        return answer.finish(
            key=self.identity.key, integrity=self.identity.integrity, fingerprint=fingerprint
        )

    def known(self) -> Identity:
        """Who it is. Every decision but Binding comes after authentication."""
        if self.identity is None:
            raise Refusal(ErrorCode.UNAUTHENTICATED)
        return self.identity

    def own_allocation(self) -> Allocation:
        """The five-tuple's, if it is this user's (RFC 8656 5). Raises Refusal."""
        if self.allocation is None:
            raise Refusal(ErrorCode.ALLOCATION_MISMATCH)
        if self.allocation.name != self.known().name:
            raise Refusal(ErrorCode.WRONG_CREDENTIALS)
        return self.allocation
