"""MOBILITY-TICKET (RFC 8016): a client takes its allocation along, to another address or transport."""

from __future__ import annotations

import base64
import binascii
import enum
import hmac
import secrets
from hashlib import blake2s

from headgate.core.enumeration import plain_members
from headgate.turn.allocation import Allocation
from headgate.turn.events import Moved
from headgate.turn.refusal import ErrorCode, Refusal
from headgate.turn.relay import ClientTransport, RelayTransport
from headgate.turn.request import Request
from headgate.turn.wing import Wing

__all__ = ["Outcome", "find", "new_ticket", "take_along"]

RANDOM, TAG = 18, 9
"""Bytes. As text, because some clients end a ticket at a zero."""
SIZE = (RANDOM + TAG) // 3 * 4
KEY = secrets.token_bytes(32)
"""No ticket outlives the process. What it signs tells a ticket that is no more from none."""


@plain_members
class Outcome(enum.StrEnum):
    """What becomes of a ticket. The value is a label of the metrics."""

    MOVED = "moved"
    UNKNOWN = "unknownTicket"
    """None of this process."""
    ENDED = "endedTicket"
    """Used by somebody elsewhere, or its allocation has ended."""
    THERE = "sameAddress"
    """Of who has not moved since it was given."""
    OTHER_USER = "otherUser"
    OCCUPIED = "occupied"
    """Whoever shows it has an allocation there."""
    TRANSPORT = "transport"
    QUOTA = "quota"


def new_ticket() -> bytes:
    random = secrets.token_bytes(RANDOM)
    return base64.urlsafe_b64encode(random + _tag(random))


def _tag(random: bytes) -> bytes:
    return blake2s(random, digest_size=TAG, key=KEY).digest()


def _is_ours(ticket: bytes) -> bool:
    """Whether it was given to somebody by this process. Whatever the bytes."""
    try:
        inner = base64.urlsafe_b64decode(ticket) if len(ticket) == SIZE else b""
    except binascii.Error:
        return False
    return hmac.compare_digest(_tag(inner[:RANDOM]), inner[RANDOM:])


def find(wing: Wing, request: Request, ticket: bytes) -> Allocation:
    """The allocation that a Refresh with a ticket is for (RFC 8016 3.2.2). Nothing has happened yet; if it
    is not `request.allocation`, it is to be taken along. Raises Refusal.
    """
    if not wing.settings.mobility:
        raise Refusal(ErrorCode.MOBILITY_FORBIDDEN)
    here = request.allocation
    allocation = wing.by_ticket.get(ticket)
    if allocation is None and ticket and here is not None and here.former_ticket == ticket:
        allocation = here  # it has not heard our answer
    elif allocation is not None and allocation is here:
        raise _refusal(wing, Outcome.THERE, ErrorCode.BAD_REQUEST)
    if allocation is None:
        if _is_ours(ticket):
            raise _refusal(wing, Outcome.ENDED, ErrorCode.ALLOCATION_MISMATCH)
        raise _refusal(wing, Outcome.UNKNOWN, ErrorCode.BAD_REQUEST)
    if allocation.name != request.known().name:
        raise _refusal(wing, Outcome.OTHER_USER, ErrorCode.WRONG_CREDENTIALS)
    if here is not None and here is not allocation:
        raise _refusal(wing, Outcome.OCCUPIED, ErrorCode.ALLOCATION_MISMATCH)
    return allocation


def take_along(wing: Wing, request: Request, allocation: Allocation) -> None:
    """From now on it has the request's five-tuple. Permissions, channels and what it relays stay as they are;
    it counts for its client's new address. Raises Refusal, and nothing has happened then.
    """
    five_tuple, before = request.five_tuple, allocation.five_tuple
    is_stream = ClientTransport(five_tuple.transport).is_stream
    if allocation.transport is RelayTransport.TCP and not is_stream:  # RFC 6062 5.1
        raise _refusal(wing, Outcome.TRANSPORT, ErrorCode.MOBILITY_FORBIDDEN)
    try:
        wing.quotas.check_move(allocation, five_tuple.client_host)
        wing.relay.move(allocation.handle, before=before, five_tuple=five_tuple)
    except Refusal:
        wing.moves[Outcome.QUOTA] += 1
        raise
    except FileExistsError:  # the engine is still about to end the five-tuple's former one
        raise _refusal(wing, Outcome.OCCUPIED, ErrorCode.ALLOCATION_MISMATCH) from None
    wing.quotas.move(allocation, five_tuple.client_host)
    del wing.by_five_tuple[before]
    allocation.five_tuple = five_tuple
    wing.by_five_tuple[five_tuple] = allocation
    # A ticket is used once: who overheard it in the old network must not come after.
    del wing.by_ticket[allocation.ticket]
    allocation.former_ticket, allocation.ticket = allocation.ticket, new_ticket()
    wing.by_ticket[allocation.ticket] = allocation
    wing.moves[Outcome.MOVED] += 1
    wing.events.append(Moved(allocation, before))


def _refusal(wing: Wing, outcome: Outcome, code: ErrorCode) -> Refusal:
    wing.moves[outcome] += 1
    return Refusal(code, outcome)
