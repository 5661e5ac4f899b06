"""Refresh (RFC 8656 8.2)."""

from __future__ import annotations

from headgate.turn.events import Refreshed, Released
from headgate.turn.refusal import ErrorCode
from headgate.turn.stun.address import Family
from headgate.turn.stun.attribute import Attribute
from tests.turn.dialogue import PEER, House, error_of

V4, V6 = b"\x01\0\0\0", b"\x02\0\0\0"


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
    assert house.machine.events() == [Released(allocation)]
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
