"""Mobility (RFC 8016): who takes an allocation along, to where, and who does not."""

from __future__ import annotations

import itertools

import pytest

from headgate.turn.events import Moved, Refreshed
from headgate.turn.refusal import ErrorCode
from headgate.turn.relay import ClientTransport
from headgate.turn.stun.attribute import Attribute
from headgate.turn.stun.message import Message, Method
from headgate.turn.ticket import Outcome
from tests.turn.dialogue import PEER, UDP, Client, House, error_of
from tests.turn.relay import Link

TCP = b"\x06\0\0\0"
MOBILE = (int(Attribute.MOBILITY_TICKET), b"")
TRANSPORTS = list(ClientTransport)


def allocate(client: Client, *, relay: bytes = UDP) -> bytes:
    """Its ticket."""
    answer = client.ask(Method.ALLOCATE, (int(Attribute.REQUESTED_TRANSPORT), relay), MOBILE)
    assert error_of(answer) is None, error_of(answer)
    return answer.attributes[Attribute.MOBILITY_TICKET]


def resume(client: Client, ticket: bytes, lifetime: int = 600) -> Message:
    return client.refresh(lifetime, (int(Attribute.MOBILITY_TICKET), ticket))


def over(transport: ClientTransport, number: int) -> dict[str, int]:
    """A link; connections have numbers."""
    connection = 0 if transport is ClientTransport.UDP else number
    return {"transport": int(transport), "connection": connection, "client_port": 1000 + number}


def test_mobility_is_off() -> None:
    client = House().client()
    answer = client.ask(Method.ALLOCATE, (int(Attribute.REQUESTED_TRANSPORT), UDP), MOBILE)
    assert error_of(answer) is ErrorCode.MOBILITY_FORBIDDEN
    client.allocate()
    assert error_of(resume(client, b"a ticket")) is ErrorCode.MOBILITY_FORBIDDEN


def test_it_comes_along_to_another_address_once_for_each_ticket() -> None:
    house = House(mobility=True)
    client = house.client()
    ticket = allocate(client)
    assert b"\0" not in ticket
    (allocation,) = house.machine.allocations
    house.machine.events()
    moved = house.client(client_host="203.0.113.50", client_port=7)
    answer = resume(moved, ticket)
    assert error_of(answer) is None
    assert answer.attributes[Attribute.MOBILITY_TICKET] not in (b"", ticket)
    assert allocation.five_tuple == moved.five_tuple
    assert house.relay.allocations[allocation.handle].five_tuple == moved.five_tuple
    assert house.machine.events() == [Moved(allocation, client.five_tuple), Refreshed(allocation, 600)]
    # The answer may be lost, and the same ticket come once more: from there, and from nowhere else.
    again = resume(moved, ticket)
    assert again.attributes[Attribute.MOBILITY_TICKET] == answer.attributes[Attribute.MOBILITY_TICKET]
    assert moved.permit(PEER) is None
    assert error_of(client.refresh()) is ErrorCode.ALLOCATION_MISMATCH
    assert error_of(resume(house.client(client_port=8), ticket)) is ErrorCode.ALLOCATION_MISMATCH
    assert house.machine.moves == {Outcome.MOVED: 1, Outcome.ENDED: 1}


@pytest.mark.parametrize(("before", "after"), [*itertools.product(TRANSPORTS, TRANSPORTS)])
def test_from_every_transport_to_every_other(before: ClientTransport, after: ClientTransport) -> None:
    house = House(mobility=True)
    client = house.client(**over(before, 1))
    ticket = allocate(client)
    (allocation,) = house.machine.allocations
    assert house.relay.allocations[allocation.handle].movable
    assert client.bind(0x4000) is None
    moved = house.client(**over(after, 2))
    answer = resume(moved, ticket)
    assert error_of(answer) is None
    assert house.machine.by_five_tuple(moved.five_tuple) is allocation
    assert house.machine.by_five_tuple(client.five_tuple) is None
    assert error_of(client.refresh()) is ErrorCode.ALLOCATION_MISMATCH
    # What it may do it may do on, also back where it was.
    assert set(allocation.permissions) == {PEER.host}
    assert set(allocation.channels) == {0x4000}
    assert error_of(resume(client, answer.attributes[Attribute.MOBILITY_TICKET])) is None
    assert house.machine.by_five_tuple(client.five_tuple) is allocation
    assert error_of(client.refresh(0)) is None
    assert not house.relay.bound


def test_what_does_not_move_ends_with_its_connection() -> None:
    house = House(mobility=True)
    house.client(**over(ClientTransport.TCP, 1)).allocate()
    (allocation,) = house.machine.allocations
    assert not house.relay.allocations[allocation.handle].movable
    assert not allocation.ticket


def test_a_ticket_alone_moves_nothing() -> None:
    house = House(mobility=True)
    client = house.client()
    ticket = allocate(client)
    thief = house.client("alice", "wonder", client_port=6, transport=int(ClientTransport.TCP), connection=3)
    assert error_of(resume(thief, ticket)) is ErrorCode.WRONG_CREDENTIALS
    guess = house.client("alice", "wrong", client_port=6)
    assert error_of(resume(guess, ticket)) is ErrorCode.UNAUTHENTICATED
    other = house.client(client_port=11)
    other.allocate()
    assert error_of(resume(other, ticket)) is ErrorCode.ALLOCATION_MISMATCH
    assert house.machine.by_five_tuple(Link()) is not None
    assert house.machine.moves == {Outcome.OTHER_USER: 1, Outcome.OCCUPIED: 1}
    # Nobody who only tries leaves anything behind.
    assert len(house.machine.allocations) == 2
    assert house.machine.usage == {"bob": 2}


def test_a_flood_of_tickets_that_never_were_leaves_nothing() -> None:
    house = House(mobility=True)
    for port in range(200):
        client = house.client(**over(ClientTransport.TCP, port))
        assert error_of(resume(client, port.to_bytes(24))) is ErrorCode.BAD_REQUEST
    assert house.machine.moves == {Outcome.UNKNOWN: 200}
    assert house.machine.allocations == []
    assert house.machine.usage == {}


def test_a_ticket_ends_with_its_allocation() -> None:
    house = House(mobility=True)
    ticket = allocate(house.client(**over(ClientTransport.TLS, 1)))
    (allocation,) = house.machine.allocations
    house.machine.ended(allocation.handle)
    assert error_of(resume(house.client(client_port=2), ticket)) is ErrorCode.ALLOCATION_MISMATCH
    assert house.machine.usage == {}
    assert house.machine.moves == {Outcome.ENDED: 1}


def test_tickets_of_others_are_told_from_ours() -> None:
    """RFC 8016 3.2.2: 437 for one of an allocation that is no more, 400 for what never was a ticket."""
    house = House(mobility=True)
    ticket = allocate(house.client())
    away = house.client(client_port=2)
    for wrong in (ticket[:-1], ticket + b"A", b"A" + ticket[1:], ticket[:-1] + b"!", b"\xff" * len(ticket)):
        assert error_of(resume(away, wrong)) is ErrorCode.BAD_REQUEST
    assert house.machine.moves == {Outcome.UNKNOWN: 5}


def test_who_has_not_moved_needs_no_ticket() -> None:
    house = House(mobility=True)
    client = house.client()
    ticket = allocate(client)
    (allocation,) = house.machine.allocations
    expires = allocation.expires
    assert error_of(resume(client, ticket, 3600)) is ErrorCode.BAD_REQUEST  # RFC 8016 3.2.2
    assert allocation.expires == expires
    assert house.machine.moves == {Outcome.THERE: 1}
    moved = house.client(client_port=2)
    new = resume(moved, ticket).attributes[Attribute.MOBILITY_TICKET]
    assert error_of(resume(moved, new)) is ErrorCode.BAD_REQUEST
    assert error_of(resume(moved, ticket)) is None  # it has not heard our answer


def test_an_empty_ticket_is_none() -> None:
    """RFC 8016 3.2.2: who sends one is not taken for who sends none. It is for Allocate alone."""
    house = House(mobility=True)
    client = house.client()
    allocate(client)
    assert error_of(client.refresh(3600, MOBILE)) is ErrorCode.BAD_REQUEST
    assert error_of(house.client(client_port=2).refresh(600, MOBILE)) is ErrorCode.BAD_REQUEST
    (allocation,) = house.machine.allocations
    assert allocation.lifetime == 600
    assert house.machine.moves == {Outcome.UNKNOWN: 2}


def test_nothing_moves_with_a_request_that_is_refused() -> None:
    house = House(mobility=True)
    client = house.client()
    ticket = (int(Attribute.MOBILITY_TICKET), allocate(client))
    moved = house.client(client_port=2)
    other_family = (int(Attribute.REQUESTED_ADDRESS_FAMILY), b"\2\0\0\0")
    answer = moved.refresh(600, ticket, other_family)
    assert error_of(answer) is ErrorCode.ADDRESS_FAMILY_MISMATCH
    answer = moved.ask(Method.REFRESH, (int(Attribute.LIFETIME), b"\0\0"), ticket)
    assert error_of(answer) is ErrorCode.BAD_REQUEST
    assert house.machine.by_five_tuple(moved.five_tuple) is None
    assert error_of(client.refresh()) is None
    assert not house.machine.moves
    assert error_of(moved.refresh(600, ticket)) is None


def test_who_asks_for_a_ticket_shows_none() -> None:
    house = House(mobility=True)
    shown = (int(Attribute.MOBILITY_TICKET), b"a ticket")
    answer = house.client().ask(Method.ALLOCATE, (int(Attribute.REQUESTED_TRANSPORT), UDP), shown)
    assert error_of(answer) is ErrorCode.BAD_REQUEST  # RFC 8016 3.1.2
    assert house.machine.allocations == []


def test_it_may_be_let_go_from_elsewhere() -> None:
    house = House(mobility=True)
    ticket = allocate(house.client(**over(ClientTransport.TCP, 1)))
    assert error_of(resume(house.client(client_port=2), ticket, 0)) is None
    assert house.machine.allocations == []
    assert not house.relay.bound
    assert house.machine.usage == {}


# Quotas


def test_it_counts_as_long_as_it_lives_and_where_its_client_is() -> None:
    house = House(mobility=True, quotas={"allocationsPerUser": 0, "allocationsPerAddress": 2})
    tickets = [allocate(house.client(client_port=port)) for port in (1, 2)]
    away = [house.client(client_host="203.0.113.50", client_port=port) for port in (1, 2)]
    assert [error_of(resume(client, ticket)) for client, ticket in zip(away, tickets, strict=True)] == [
        None
    ] * 2
    # Its old address has room again, its new one has none: not for a new one, and not for one that comes.
    tickets = [allocate(house.client(client_port=port)) for port in (3, 4)]
    third = house.client(client_host="203.0.113.50", client_port=3)
    assert error_of(resume(third, tickets[0])) is ErrorCode.ALLOCATION_QUOTA_REACHED
    refused = third.ask(Method.ALLOCATE, (int(Attribute.REQUESTED_TRANSPORT), UDP))
    assert error_of(refused) is ErrorCode.ALLOCATION_QUOTA_REACHED
    assert house.machine.quota_refusals == {"allocationsPerAddress": 2}
    assert house.machine.moves == {Outcome.MOVED: 2, Outcome.QUOTA: 1}
    # Within an address nothing is counted twice.
    assert error_of(resume(house.client(client_port=30), tickets[0])) is None
    assert house.machine.usage == {"bob": 4}
    for allocation in house.machine.allocations:
        house.machine.close(allocation)
    assert house.machine.usage == {}
    allocate(house.client(client_host="203.0.113.50", client_port=4))


def test_quotas_that_are_lower_now_take_nothing_away() -> None:
    house = House(mobility=True, quotas={"allocationsPerAddress": 1})
    ticket = allocate(house.client(client_port=1))
    moved = house.client(client_port=2, transport=int(ClientTransport.TCP), connection=4)
    assert error_of(resume(moved, ticket)) is None


# What cannot be


def test_tcp_is_relayed_for_streams_only() -> None:
    house = House(mobility=True, tcpRelay=True)
    ticket = allocate(house.client(**over(ClientTransport.TCP, 1)), relay=TCP)
    for transport in (ClientTransport.UDP, ClientTransport.DTLS):
        client = house.client(**over(transport, 2))
        assert error_of(resume(client, ticket)) is ErrorCode.MOBILITY_FORBIDDEN
    assert error_of(resume(house.client(**over(ClientTransport.TLS, 3)), ticket)) is None
    assert house.machine.moves == {Outcome.TRANSPORT: 2, Outcome.MOVED: 1}


def test_a_five_tuple_that_the_engine_has_not_let_go_of() -> None:
    house = House(mobility=True)
    ticket = allocate(house.client())
    taken = house.client(client_port=2)
    taken.allocate()
    gone = house.machine.by_five_tuple(taken.five_tuple)
    assert gone is not None
    house.machine.ended(gone.handle)  # the twin has it still
    assert error_of(resume(taken, ticket)) is ErrorCode.ALLOCATION_MISMATCH
    assert house.machine.by_five_tuple(Link()) is not None
    house.relay.close(gone.handle)
    assert error_of(resume(taken, ticket)) is None
