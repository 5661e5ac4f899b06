"""Allocate (RFC 8656 7.2), step by step."""

from __future__ import annotations

from msgspec import Struct

from headgate.core.config.networks import ListenAddress
from headgate.turn.allocation import Allocation
from headgate.turn.events import Allocated
from headgate.turn.ports import Exhausted
from headgate.turn.quotas import Holder
from headgate.turn.refusal import ErrorCode, Refusal
from headgate.turn.relay import ClientTransport, RelayPort, RelayTransport
from headgate.turn.request import Request
from headgate.turn.stun.address import Family, family_of, plain_address
from headgate.turn.stun.answer import Answer
from headgate.turn.stun.attribute import Attribute
from headgate.turn.ticket import new_ticket
from headgate.turn.wing import Wing

__all__ = ["DEFAULT_LIFETIME", "LONGEST_LIFETIME", "allocate", "granted_lifetime"]

DEFAULT_LIFETIME = 600  # seconds, RFC 8656 3.2
LONGEST_LIFETIME = 3600  # RFC 8656 7.2: "RECOMMENDED"
RESERVE_NEXT = 0x80  # the R bit of EVEN-PORT


WISHES = frozenset(
    int(attribute)
    for attribute in (
        Attribute.EVEN_PORT,
        Attribute.RESERVATION_TOKEN,
        Attribute.REQUESTED_ADDRESS_FAMILY,
        Attribute.ADDITIONAL_ADDRESS_FAMILY,
        Attribute.ADDITIONAL_ADDRESS_FAMILY_OF_COTURN,
        Attribute.MOBILITY_TICKET,
    )
)
"""Attributes of steps 5 to 9. Nearly nobody sends one."""


class _Wishes(Struct, frozen=True, kw_only=True):
    """What an Allocate asks for beside a relayed address."""

    even: bool = False
    reserves: bool = False
    token: bytes | None = None
    family: bytes | None = None
    additional: bool = False
    mobility: bool = False


NONE = _Wishes()


class _Relayed(Struct):
    """What an allocation gets."""

    ports: list[RelayPort]
    token: bytes = b""
    address_error: bytes = b""


def allocate(wing: Wing, request: Request) -> Answer:
    """Raises Refusal. Step 1, authentication, is done."""
    identity, attributes = request.known(), request.message.attributes

    # Step 2: the five-tuple has one. The same transaction again is a retransmission (7.2, "stateless").
    present = request.allocation
    if present is not None:
        if present.transaction == request.message.transaction and present.name == identity.name:
            return _success(wing, request, present)
        raise Refusal(ErrorCode.ALLOCATION_MISMATCH)

    # Step 3: REQUESTED-TRANSPORT.
    transport = _transport(wing, request)

    # Step 4: DONT-FRAGMENT. We can: the system sets DF on what it relays unless told otherwise.

    # Steps 5 to 9: what may be asked for together.
    wishes = NONE if attributes.keys().isdisjoint(WISHES) else _wishes(wing, request, transport)
    lifetime = granted_lifetime(attributes.get(Attribute.LIFETIME))

    # Step 10: quotas.
    address = request.five_tuple.client_host
    holder = Holder(identity.user, address)
    waiting = wing.ports.reservation(wishes.token) if wishes.token is not None else None
    wing.quotas.check(
        holder,
        wanted=2 if wishes.reserves else 1,
        comes_for=waiting.holder if waiting is not None else None,
        now=request.now,
    )

    # Step 11: somebody else may have it.
    _redirect(wing, request)

    if wishes.token is not None:
        relayed = _reserved(wing, wishes.token, user=identity.user)
    else:
        family, additional = wishes.family, wishes.additional
        wanted = _family(family) if family is not None else Family.IPV4
        if family is None and not additional and not wing.has_family(request.five_tuple, wanted):
            wanted = family_of(request.five_tuple.server_host)  # an IPv6-only server has no IPv4 default
        try:
            relayed = _bound(
                wing,
                request,
                wanted,
                transport,
                even=wishes.even,
                reserves_for=holder if wishes.reserves else None,
            )
        except Refusal as refusal:
            if not additional:
                raise
            relayed = _Relayed([], address_error=_address_error(Family.IPV4, refusal))
        if additional:
            _add_second(wing, request, relayed)

    try:
        handle = wing.relay.allocate(
            request.five_tuple,
            [port.handle for port in relayed.ports],
            lifetime=lifetime,
            rate=wing.settings.quotas.bytes_per_second,
            movable=wishes.mobility,
        )
    except OSError as error:
        if relayed.token and (reserved := wing.take_reserved(relayed.token)):
            wing.ports.release(reserved)
        for port in relayed.ports:
            wing.ports.release(port)
        if isinstance(error, FileExistsError):  # the engine is still about to end the five-tuple's former one
            raise Refusal(ErrorCode.ALLOCATION_MISMATCH) from None
        raise Refusal(ErrorCode.INSUFFICIENT_CAPACITY, str(error)) from None
    allocation = Allocation(
        handle=handle,
        five_tuple=request.five_tuple,
        name=identity.name,
        user=identity.user,
        address=address,
        relays=tuple(relayed.ports),
        transport=transport,
        lifetime=lifetime,
        expires=request.now + lifetime,
        transaction=request.message.transaction,
        token=relayed.token,
        ticket=new_ticket() if wishes.mobility else b"",
        address_error=relayed.address_error,
        credential_expires=identity.expires,
    )
    wing.add(allocation)
    wing.events.append(Allocated(allocation))
    return _success(wing, request, allocation)


def _wishes(wing: Wing, request: Request, transport: RelayTransport) -> _Wishes:
    attributes = request.message.attributes
    even, token = attributes.get(Attribute.EVEN_PORT), attributes.get(Attribute.RESERVATION_TOKEN)
    family = attributes.get(Attribute.REQUESTED_ADDRESS_FAMILY)
    additional = attributes.get(
        Attribute.ADDITIONAL_ADDRESS_FAMILY,
        attributes.get(Attribute.ADDITIONAL_ADDRESS_FAMILY_OF_COTURN),
    )
    reserves = even is not None and len(even) == 1 and bool(even[0] & RESERVE_NEXT)
    if even is not None and len(even) != 1:
        raise Refusal(ErrorCode.BAD_REQUEST, "EVEN-PORT has not 1 byte")
    if token is not None and (even is not None or family is not None or additional is not None):
        raise Refusal(ErrorCode.BAD_REQUEST, "RESERVATION-TOKEN goes with nothing else")
    if family is not None and additional is not None:
        raise Refusal(ErrorCode.BAD_REQUEST, "REQUESTED- and ADDITIONAL-ADDRESS-FAMILY exclude each other")
    if additional is not None and (_family(additional) is not Family.IPV6 or reserves):
        raise Refusal(ErrorCode.BAD_REQUEST, "ADDITIONAL-ADDRESS-FAMILY is IPv6, without a reserved port")
    if transport is RelayTransport.TCP and (even is not None or token is not None or additional is not None):
        raise Refusal(ErrorCode.BAD_REQUEST, "RFC 6062 5.1")
    mobility = Attribute.MOBILITY_TICKET in attributes
    if attributes.get(Attribute.MOBILITY_TICKET):
        raise Refusal(ErrorCode.BAD_REQUEST, "MOBILITY-TICKET is not empty")  # RFC 8016 3.1.2
    if mobility and not wing.settings.mobility:
        raise Refusal(ErrorCode.MOBILITY_FORBIDDEN)  # RFC 8016 3.1
    return _Wishes(
        even=even is not None,
        reserves=reserves,
        token=token,
        family=family,
        additional=additional is not None,
        mobility=mobility,
    )


def granted_lifetime(wanted: bytes | None) -> int:
    """RFC 8656 7.2: not below the default, not above an hour. Raises Refusal."""
    if wanted is None:
        return DEFAULT_LIFETIME
    if len(wanted) != 4:
        raise Refusal(ErrorCode.BAD_REQUEST, "LIFETIME has not 4 bytes")
    return max(DEFAULT_LIFETIME, min(int.from_bytes(wanted), LONGEST_LIFETIME))


def _success(wing: Wing, request: Request, allocation: Allocation) -> Answer:
    """RFC 8656 7.2: RELAYED, LIFETIME, token, MAPPED."""
    five_tuple = request.five_tuple
    answer = request.success()
    for port in allocation.relays:
        answer.add_xor_address(Attribute.XOR_RELAYED_ADDRESS, *port.relayed)
    answer.add_number(Attribute.LIFETIME, max(int(allocation.expires - request.now), 0))
    if allocation.token:
        answer.add(Attribute.RESERVATION_TOKEN, allocation.token)
    if allocation.address_error:
        answer.add(Attribute.ADDRESS_ERROR_CODE, allocation.address_error)
    if allocation.ticket:
        answer.add(Attribute.MOBILITY_TICKET, allocation.ticket)
    return answer.add_xor_address(
        Attribute.XOR_MAPPED_ADDRESS, five_tuple.client_host, five_tuple.client_port
    )


def _transport(wing: Wing, request: Request) -> RelayTransport:
    wanted = request.message.attributes.get(Attribute.REQUESTED_TRANSPORT)
    if wanted is None or len(wanted) != 4:
        raise Refusal(ErrorCode.BAD_REQUEST, "REQUESTED-TRANSPORT is missing")
    if wanted[0] == RelayTransport.UDP:
        return RelayTransport.UDP
    if wanted[0] == RelayTransport.TCP and wing.settings.tcp_relay:
        if not ClientTransport(request.five_tuple.transport).is_stream:
            raise Refusal(ErrorCode.BAD_REQUEST, "a TCP relay needs a TCP client (RFC 6062 5.1)")
        return RelayTransport.TCP
    raise Refusal(ErrorCode.UNSUPPORTED_TRANSPORT)


def _family(value: bytes) -> Family:
    if len(value) != 4:
        raise Refusal(ErrorCode.BAD_REQUEST, "an address family has not 4 bytes")
    if value[0] not in (Family.IPV4, Family.IPV6):
        raise Refusal(ErrorCode.ADDRESS_FAMILY_NOT_SUPPORTED)
    return Family(value[0])


def _redirect(wing: Wing, request: Request) -> None:
    if not (wing.settings.alternate_servers or wing.draining):
        return
    five_tuple = request.five_tuple
    own, here, port = family_of(five_tuple.client_host), five_tuple.server_host, five_tuple.server_port
    outside = wing.external(here)
    servers = [ListenAddress.parse(server) for server in wing.settings.alternate_servers]
    servers = [
        server
        for server in servers
        if family_of(server.host) is own and (server.port != port or server.host not in {here, outside})
    ]
    if servers:
        server = servers[next(wing.alternates) % len(servers)]
        address = plain_address(server.host, server.port)
        raise Refusal(ErrorCode.TRY_ALTERNATE, attributes=((Attribute.ALTERNATE_SERVER, address),))
    if wing.draining:
        raise Refusal(ErrorCode.INSUFFICIENT_CAPACITY, "the server is stopping")


def _reserved(wing: Wing, token: bytes, *, user: str) -> _Relayed:
    waiting = wing.ports.reservation(token)
    # Who overheard the token has not asked for the port.
    port = wing.take_reserved(token) if waiting is not None and waiting.holder.user == user else None
    if port is None:
        raise Refusal(ErrorCode.INSUFFICIENT_CAPACITY, "nothing is reserved under this token")
    return _Relayed([port])


def _bound(
    wing: Wing,
    request: Request,
    family: Family,
    transport: RelayTransport,
    *,
    even: bool,
    reserves_for: Holder | None,
) -> _Relayed:
    address = wing.relay_address(request.five_tuple, family)
    try:
        if reserves_for is not None:
            first, reservation = wing.reserve(address, reserves_for, now=request.now)
            return _Relayed([first], token=reservation.token)
        return _Relayed([wing.ports.bind(address, transport=transport, even=even)])
    except Exhausted:
        raise Refusal(ErrorCode.INSUFFICIENT_CAPACITY, "no relay port is free") from None


def _add_second(wing: Wing, request: Request, relayed: _Relayed) -> None:
    """RFC 8656 7.2: where only one of the two can be had, the answer says why (ADDRESS-ERROR-CODE)."""
    try:
        relayed.ports += _bound(
            wing, request, Family.IPV6, RelayTransport.UDP, even=False, reserves_for=None
        ).ports
    except Refusal as refusal:
        if not relayed.ports:
            raise
        relayed.address_error = _address_error(Family.IPV6, refusal)


def _address_error(family: Family, refusal: Refusal) -> bytes:
    """RFC 8656 18.12."""
    return bytes((family, 0, refusal.code // 100, refusal.code % 100))
