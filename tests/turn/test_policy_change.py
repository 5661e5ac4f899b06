"""Permissions, channels and connections under a policy that is another than when they were granted."""

from __future__ import annotations

from typing import Any

from headgate.turn.refusal import ErrorCode
from headgate.turn.stun.address import TransportAddress, read_address
from headgate.turn.stun.attribute import Attribute
from headgate.turn.stun.message import Method
from tests.turn.dialogue import PEER, Client, House, error_of

OTHER = TransportAddress("1.1.1.1", 6000)
OWN = TransportAddress("192.0.2.1", 53)
"""On the address that the house relays from."""


def allocated(house: House) -> Client:
    client = house.client()
    client.allocate()
    return client


def change(house: House, **peers: Any) -> None:
    other = House(peers=peers)
    house.machine.follow(other.settings, other.machine.credentials, now=house.now)


def test_a_network_that_is_closed_is_closed_at_once() -> None:
    house = House()
    client = allocated(house)
    client.permit(PEER, OTHER)
    client.bind(0x4000, PEER)
    client.bind(0x4001, OTHER)
    change(house, deny=["8.8.8.0/24"])
    (twin,) = house.relay.allocations.values()
    assert twin.permissions == {"1.1.1.1": False}
    assert twin.channels == {0x4001: OTHER}
    (allocation,) = house.machine.allocations
    assert set(allocation.permissions) == {"1.1.1.1"}
    assert set(allocation.live_channels(house.now)) == {0x4001}
    # The number rests, as after any end.
    assert client.bind(0x4000, TransportAddress("9.9.9.9", 1)) is ErrorCode.BAD_REQUEST


def test_what_stays_keeps_its_time() -> None:
    house = House()
    client = allocated(house)
    client.bind(0x4000, PEER)
    (allocation,) = house.machine.allocations
    before = (dict(allocation.permissions), dict(allocation.channels))
    house.now += 100
    change(house, deny=["203.0.113.0/24"])
    assert (allocation.permissions, allocation.channels) == before


def test_our_own_relay_address_is_open_only_while_it_is_allowed() -> None:
    house = House(peers={"allow": ["192.0.2.0/24"]})
    client = allocated(house)
    client.bind(0x4000, OWN)
    (twin,) = house.relay.allocations.values()
    assert twin.permissions == {OWN.host: False}
    change(house)
    assert twin.permissions == {OWN.host: True}
    assert twin.channels == {0x4000: OWN}


def test_addresses_that_were_learnt_stay_known() -> None:
    """Without `relayAddresses` the policy hears of them when they are first used. The public ones would be
    peers like any other if a change forgot them.
    """
    house = House(relayAddresses=[])
    client = house.client(server_host="9.9.9.9")
    client.allocate()
    own = TransportAddress("9.9.9.9", 53)
    assert client.permit(own) is None
    other = House(relayAddresses=[], peers={"deny": ["203.0.113.0/24"]})
    house.machine.follow(other.settings, other.machine.credentials, now=house.now)
    assert client.permit(own) is None
    (twin,) = house.relay.allocations.values()
    assert twin.permissions == {own.host: True}


def test_where_clients_reach_us_is_no_peer() -> None:
    house = House()
    client = house.client(server_host="9.9.9.9")
    client.allocate()
    assert client.permit(TransportAddress("9.9.9.9", 53)) is ErrorCode.FORBIDDEN
    house = House(peers={"allow": ["9.9.9.9"]})
    client = house.client(server_host="9.9.9.9")
    client.allocate()
    assert client.permit(TransportAddress("9.9.9.9", 53)) is None


def test_a_connection_to_who_is_denied_now_is_closed() -> None:
    house = House(tcpRelay=True)
    client = house.client(transport=2, connection=5)
    client.ask(Method.ALLOCATE, (Attribute.REQUESTED_TRANSPORT, b"\x06\0\0\0"))
    client.peer_request(Method.CONNECT, PEER)
    assert list(house.relay.dialled.values()) == [PEER]
    change(house, deny=["8.8.8.8"])
    assert not house.relay.dialled


def test_what_listens_beside_our_relayed_addresses_is_let_go_of_too() -> None:
    """They stay peers of one another, and nothing else at their address does."""
    house = House(tcpRelay=True, peers={"allow": ["192.0.2.0/24"]})
    client = house.client(transport=2, connection=5)
    other = house.client(transport=2, connection=6, client_port=2)
    relayed = {}
    for each in (client, other):
        answer = each.ask(Method.ALLOCATE, (Attribute.REQUESTED_TRANSPORT, b"\x06\0\0\0"))
        relayed[each] = read_address(answer.attributes[Attribute.XOR_RELAYED_ADDRESS], answer.transaction)
    client.peer_request(Method.CONNECT, OWN)
    client.peer_request(Method.CONNECT, relayed[other])
    assert list(house.relay.dialled.values()) == [OWN, relayed[other]]
    change(house)
    assert list(house.relay.dialled.values()) == [relayed[other]]


def test_of_two_families_one_is_let_go_in_the_engine_too() -> None:
    house = House()
    client = house.client()
    client.allocate((Attribute.ADDITIONAL_ADDRESS_FAMILY, b"\x02\0\0\0"))
    assert house.machine.ports_taken == 2
    answer = client.refresh(0, (Attribute.REQUESTED_ADDRESS_FAMILY, b"\x02\0\0\0"))
    assert error_of(answer) is None
    assert [host for host, _, _ in house.relay.bound.values()] == ["192.0.2.1"]
    assert house.machine.ports_taken == 1


def test_where_we_turn_out_to_relay_from_is_judged_anew() -> None:
    """What was granted while nobody knew is our own relayed addresses from then on (S-48)."""
    house = House(relayAddresses=[])
    client = house.client(server_host="9.9.9.1")
    client.allocate()
    there = TransportAddress("9.9.9.2", 53)
    assert client.bind(0x4000, there) is None
    (twin,) = house.relay.allocations.values()
    assert twin.permissions == {"9.9.9.2": False}
    house.client(server_host="9.9.9.2", client_port=2).allocate()
    assert twin.permissions == {"9.9.9.2": True}
    assert twin.channels == {0x4000: there}
