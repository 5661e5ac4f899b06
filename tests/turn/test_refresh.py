"""Refresh (RFC 8656 8.2) and mobility (RFC 8016)."""

from __future__ import annotations

from headgate.turn.events import Moved, Refreshed, Released
from headgate.turn.refusal import ErrorCode
from headgate.turn.stun.address import Family
from headgate.turn.stun.attribute import Attribute
from headgate.turn.stun.message import Method
from tests.turn.dialogue import PEER, UDP, House, error_of
from tests.turn.relay import Link

V4, V6 = b"\x01\0\0\0", b"\x02\0\0\0"
TRANSPORT = (int(Attribute.REQUESTED_TRANSPORT), UDP)
MOBILE = (int(Attribute.MOBILITY_TICKET), b"")


def test_it_goes_on() -> None:
    house = House()
    client = house.client()
    client.allocate()
    (allocation,) = house.machine.allocations
    house.machine.events()
    house.now += 100
    answer = client.refresh(1200)
    assert answer.attributes[Attribute.LIFETIME] == (1200).to_bytes(4)
    assert allocation.expires == house.now + 1200
    assert house.relay.allocations[allocation.handle].lifetime == 1200
    assert house.machine.events() == [Refreshed(allocation, 1200)]
    assert error_of(client.refresh()) is None


def test_it_is_let_go() -> None:
    house = House()
    client = house.client()
    client.allocate()
    (allocation,) = house.machine.allocations
    house.machine.events()
    answer = client.refresh(0)
    assert answer.attributes[Attribute.LIFETIME] == bytes(4)
    assert house.machine.events() == [Released(allocation), Refreshed(allocation, 0)]
    assert not house.relay.allocations
    assert not house.relay.bound
    assert error_of(client.refresh(0)) is ErrorCode.ALLOCATION_MISMATCH
    client.allocate()


def test_a_family_it_has_not() -> None:
    client = House().client()
    client.allocate()
    for family in (V6, b"", b"\x01"):
        answer = client.refresh(600, (Attribute.REQUESTED_ADDRESS_FAMILY, family))
        assert error_of(answer) is ErrorCode.ADDRESS_FAMILY_MISMATCH
    assert error_of(client.refresh(600, (Attribute.REQUESTED_ADDRESS_FAMILY, V4))) is None


def test_one_of_two_families_is_let_go() -> None:
    house = House()
    client = house.client()
    client.allocate((Attribute.ADDITIONAL_ADDRESS_FAMILY, V6))
    assert error_of(client.refresh(0, (Attribute.REQUESTED_ADDRESS_FAMILY, V6))) is None
    (allocation,) = house.machine.allocations
    assert [port.address.family for port in allocation.relays] == [Family.IPV4]
    assert client.permit(PEER._replace(host="2606:4700::1111")) is ErrorCode.ADDRESS_FAMILY_MISMATCH
    assert client.permit(PEER) is None
    assert house.machine.ports_taken == len(house.relay.bound) == 1


# RFC 8016


def test_mobility_is_off() -> None:
    client = House().client()
    answer = client.ask(Method.ALLOCATE, TRANSPORT, MOBILE)
    assert error_of(answer) is ErrorCode.MOBILITY_FORBIDDEN


def test_it_comes_along_to_another_address_once_for_each_ticket() -> None:
    house = House(mobility=True)
    client = house.client()
    ticket = client.ask(Method.ALLOCATE, TRANSPORT, MOBILE).attributes[Attribute.MOBILITY_TICKET]
    (allocation,) = house.machine.allocations
    house.machine.events()
    moved = house.client(client_host="203.0.113.50", client_port=7)
    answer = moved.refresh(600, (Attribute.MOBILITY_TICKET, ticket))
    assert error_of(answer) is None
    assert answer.attributes[Attribute.MOBILITY_TICKET] not in (b"", ticket)
    assert allocation.five_tuple == moved.five_tuple
    assert house.relay.allocations[allocation.handle].five_tuple == moved.five_tuple
    assert house.machine.events()[0] == Moved(allocation, client.five_tuple)
    assert moved.permit(PEER) is None
    assert error_of(client.refresh()) is ErrorCode.ALLOCATION_MISMATCH
    third = house.client(client_port=8)
    assert error_of(third.refresh(600, (Attribute.MOBILITY_TICKET, ticket))) is ErrorCode.BAD_REQUEST


def test_a_ticket_alone_moves_nothing() -> None:
    house = House(mobility=True)
    client = house.client()
    ticket = client.ask(Method.ALLOCATE, TRANSPORT, MOBILE).attributes[Attribute.MOBILITY_TICKET]
    thief = house.client("alice", "wonder", client_port=6)
    answer = thief.refresh(600, (Attribute.MOBILITY_TICKET, ticket))
    assert error_of(answer) is ErrorCode.WRONG_CREDENTIALS
    other = house.client(client_port=11)
    other.allocate()
    answer = other.refresh(600, (Attribute.MOBILITY_TICKET, ticket))
    assert error_of(answer) is ErrorCode.ALLOCATION_MISMATCH
    assert house.machine.by_five_tuple(Link()) is not None
