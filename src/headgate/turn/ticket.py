"""MOBILITY-TICKET (RFC 8016): a client takes its allocation along, to another address or transport."""

from __future__ import annotations

import enum
import secrets

from headgate.core.enumeration import plain_members
from headgate.turn.allocation import Allocation
from headgate.turn.events import Moved
from headgate.turn.refusal import ErrorCode, Refusal
from headgate.turn.relay import ClientTransport, RelayTransport
from headgate.turn.request import Request
from headgate.turn.wing import Wing

__all__ = ["Outcome", "move", "new_ticket"]

SIZE = 18  # random bytes; as text, because some clients end a ticket at a zero


@plain_members
class Outcome(enum.StrEnum):
    """What becomes of a ticket. The value is a label of the metrics."""

    MOVED = "moved"
    UNKNOWN = "unknownTicket"
    """Of an allocation that has ended, or of none."""
    OTHER_USER = "otherUser"
    OCCUPIED = "occupied"
    """Whoever shows it has an allocation there."""
    TRANSPORT = "transport"
    QUOTA = "quota"


def new_ticket() -> bytes:
    return secrets.token_urlsafe(SIZE).encode()


def move(wing: Wing, request: Request, ticket: bytes) -> Allocation:
    """The allocation that a Refresh with a ticket is for, and whose five-tuple has it from now on (3.2.2).
    Raises Refusal.
    """
    if not wing.settings.mobility:
        raise Refusal(ErrorCode.MOBILITY_FORBIDDEN)
    here = request.allocation
    allocation = wing.by_ticket.get(ticket)
    if allocation is None and here is not None and here.former_ticket == ticket:
        allocation = here  # it has not heard our answer
    if allocation is None:
        raise _refusal(wing, Outcome.UNKNOWN, ErrorCode.BAD_REQUEST)
    if allocation.name != request.known().name:
        raise _refusal(wing, Outcome.OTHER_USER, ErrorCode.WRONG_CREDENTIALS)
    if here is None:
        _take_along(wing, request, allocation)
    elif here is not allocation:
        raise _refusal(wing, Outcome.OCCUPIED, ErrorCode.ALLOCATION_MISMATCH)
    return allocation


def _take_along(wing: Wing, request: Request, allocation: Allocation) -> None:
    """Permissions, channels and what it relays stay as they are; it counts for its client's new address."""
    five_tuple, before = request.five_tuple, allocation.five_tuple
    is_stream = ClientTransport(five_tuple.transport).is_stream
    if allocation.transport is RelayTransport.TCP and not is_stream:  # RFC 6062 5.1
        raise _refusal(wing, Outcome.TRANSPORT, ErrorCode.MOBILITY_FORBIDDEN)
    try:
        wing.quotas.check_move(allocation, five_tuple.client_host)
        wing.relay.move(allocation.handle, five_tuple)
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
