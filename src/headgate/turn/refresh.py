"""Refresh (RFC 8656 8.2), also from elsewhere (RFC 8016 3.2)."""

from __future__ import annotations

from headgate.turn.allocate import granted_lifetime
from headgate.turn.allocation import Allocation
from headgate.turn.events import Refreshed, Released
from headgate.turn.refusal import ErrorCode, Refusal
from headgate.turn.request import Request
from headgate.turn.stun.answer import Answer
from headgate.turn.stun.attribute import Attribute
from headgate.turn.ticket import find, take_along
from headgate.turn.wing import Wing

__all__ = ["refresh"]


def refresh(wing: Wing, request: Request) -> Answer:
    """Raises Refusal."""
    attributes = request.message.attributes
    ticket = attributes.get(Attribute.MOBILITY_TICKET)
    allocation = find(wing, request, ticket) if ticket is not None else request.own_allocation()

    # A family that the allocation has no address of.
    family = attributes.get(Attribute.REQUESTED_ADDRESS_FAMILY)
    if family is not None and not any(
        len(family) == 4 and port.address.family == family[0] for port in allocation.relays
    ):
        raise Refusal(ErrorCode.ADDRESS_FAMILY_MISMATCH)

    wanted = attributes.get(Attribute.LIFETIME)
    lifetime = granted_lifetime(wanted)
    # Whoever hears an error still has the allocation where it was.
    if ticket is not None and request.allocation is None:
        take_along(wing, request, allocation)
    if wanted == b"\0\0\0\0":
        return _release(wing, request, allocation, only=family)
    allocation.lifetime = lifetime
    allocation.expires = request.now + lifetime
    wing.relay.refresh(allocation.handle, lifetime=lifetime)
    wing.events.append(Refreshed(allocation, lifetime))
    answer = request.success().add_number(Attribute.LIFETIME, lifetime)
    return answer.add(Attribute.MOBILITY_TICKET, allocation.ticket) if ticket else answer


def _release(wing: Wing, request: Request, allocation: Allocation, *, only: bytes | None) -> Answer:
    """LIFETIME 0. Of two families one alone may be let go; the other goes on."""
    if only is not None and len(allocation.relays) > 1:
        gone = next(port for port in allocation.relays if port.address.family == only[0])
        allocation.relays = tuple(port for port in allocation.relays if port is not gone)
        wing.ports.forget(gone)
        wing.relay.release_one(allocation.handle, gone)
    elif wing.remove(allocation):
        wing.relay.close(allocation.handle)
        wing.events.append(Released(allocation))
    return request.success().add_number(Attribute.LIFETIME, 0)
