"""Binding (RFC 8489 12), and behaviour discovery where there are addresses enough (RFC 5780)."""

from __future__ import annotations

from headgate.turn.refusal import ErrorCode, Refusal
from headgate.turn.relay import ClientTransport, FiveTuple
from headgate.turn.request import Request
from headgate.turn.stun.address import TransportAddress, family_of, plain_address
from headgate.turn.stun.answer import Answer
from headgate.turn.stun.attribute import Attribute
from headgate.turn.stun.message import HEADER_SIZE
from headgate.turn.wing import Wing

__all__ = ["bind", "other_address"]

CHANGE_IP = 0x4  # RFC 5780 7.2
CHANGE_PORT = 0x2
LOUDEST = 2.2
"""An answer's length for each byte of the question, at most (S-06): who asks may be somebody else than
who is answered. For the shortest question that is XOR-MAPPED-ADDRESS and, over IPv4, OTHER-ADDRESS, which
tells a client that we do this at all.
"""
TLV_SIZE = 4
FINGERPRINT_SIZE = 8


def bind(wing: Wing, request: Request) -> Answer:
    five_tuple, attributes = request.five_tuple, request.message.attributes
    answer = request.success()
    answer.add_xor_address(Attribute.XOR_MAPPED_ADDRESS, five_tuple.client_host, five_tuple.client_port)
    if not wing.listeners:
        return answer
    other = other_address(wing, five_tuple)
    if other is None:
        return answer
    own = TransportAddress(five_tuple.server_host, five_tuple.server_port)
    source = own
    wanted = attributes.get(Attribute.CHANGE_REQUEST)
    if wanted is not None:
        if len(wanted) != 4:
            raise Refusal(ErrorCode.BAD_REQUEST, "CHANGE-REQUEST has not 4 bytes")
        flags = wanted[3]
        source = TransportAddress(
            other.host if flags & CHANGE_IP else own.host, other.port if flags & CHANGE_PORT else own.port
        )
    own_address = plain_address(*source)
    # One address's attribute is as long as another's, of the same family.
    size, room = TLV_SIZE + len(own_address), LOUDEST * len(request.message.data)
    room -= HEADER_SIZE + size + (FINGERPRINT_SIZE if request.message.fingerprint_at else 0)
    if room >= 2 * size:
        answer.add(Attribute.RESPONSE_ORIGIN, own_address)
    if room >= size:
        answer.add(Attribute.OTHER_ADDRESS, plain_address(*other))
    port = attributes.get(Attribute.RESPONSE_PORT)
    if port is not None:
        if len(port) not in {2, 4} or not int.from_bytes(port[:2]):
            raise Refusal(ErrorCode.BAD_REQUEST, "RESPONSE-PORT is no port")
        request.port = int.from_bytes(port[:2])
    if source != own or request.port:
        request.source = source
    return answer


def other_address(wing: Wing, five_tuple: FiveTuple) -> TransportAddress | None:
    """The one that differs in host and port, where all four combinations are listened at (RFC 5780 6.1)."""
    if five_tuple.transport != ClientTransport.UDP:
        return None
    here, there = TransportAddress(five_tuple.server_host, five_tuple.server_port), set(wing.listeners)
    for one in wing.listeners:
        if (
            one.host != here.host
            and one.port != here.port
            and family_of(one.host) is family_of(here.host)
            and TransportAddress(one.host, here.port) in there
            and TransportAddress(here.host, one.port) in there
        ):
            return one
    return None
