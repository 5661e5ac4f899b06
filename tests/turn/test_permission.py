"""CreatePermission (RFC 8656 10.2) and ChannelBind (RFC 8656 12.2)."""

from __future__ import annotations

import pytest

from headgate.turn.allocation import CHANNEL_LIFETIME, CHANNEL_REST
from headgate.turn.events import ChannelBound, PeerDenied, PermissionsCreated
from headgate.turn.refusal import ErrorCode
from headgate.turn.stun.address import TransportAddress
from headgate.turn.stun.attribute import Attribute
from headgate.turn.stun.message import Method
from tests.turn.dialogue import PEER, Client, House, error_of
from tests.turn.test_peers import INTERNAL_V4, INTERNAL_V6, embedded

OTHER = TransportAddress("1.1.1.1", 6000)
SIX = TransportAddress("2606:4700::1111", 6000)


def allocated(house: House, *, families: bool = False) -> Client:
    client = house.client()
    extra = [(int(Attribute.ADDITIONAL_ADDRESS_FAMILY), b"\x02\0\0\0")] if families else []
    client.allocate(*extra)
    house.machine.events()
    return client


def test_permissions() -> None:
    house = House()
    client = allocated(house)
    assert client.permit(PEER, OTHER, PEER._replace(port=0)) is None
    (allocation,) = house.machine.allocations
    assert house.relay.allocations[allocation.handle].permissions == {"8.8.8.8": False, "1.1.1.1": False}
    assert allocation.live_permissions(house.now)["8.8.8.8"].ports == (5000, 0)
    assert house.machine.events() == [PermissionsCreated(allocation, (PEER, OTHER, PEER._replace(port=0)))]
    house.now += 301
    assert allocation.live_permissions(house.now) == {}


def test_all_or_none() -> None:
    house = House()
    client = allocated(house)
    internal = TransportAddress("10.0.0.1", 80)
    assert client.permit(PEER, internal) is ErrorCode.FORBIDDEN
    (allocation,) = house.machine.allocations
    assert house.relay.allocations[allocation.handle].permissions == {}
    assert house.machine.events() == [PeerDenied(allocation, internal)]


@pytest.mark.parametrize("host", [*INTERNAL_V4, *INTERNAL_V6, *embedded("127.0.0.1"), *embedded("10.0.0.1")])
def test_no_way_inside(host: str) -> None:
    """S-01, for each request that names a peer."""
    house = House()
    client = allocated(house, families=True)
    inside = TransportAddress(host, 80)
    if host in {"192.0.2.1", "2001:db8::1"}:
        inside = inside._replace(host=host[:-1] + "2")  # beside our own relay address
    assert client.permit(inside) is ErrorCode.FORBIDDEN
    assert client.bind(0x4000, inside) is ErrorCode.FORBIDDEN
    held = house.relay.allocations[house.machine.allocations[0].handle]
    assert (held.permissions, held.channels) == ({}, {})


def test_those_who_call_each_other_through_us() -> None:
    """S-48: and at our own address nothing else can be reached."""
    house = House()
    client = allocated(house)
    other = house.client("alice", "wonder", client_port=9).allocate()
    assert client.permit(other) is None
    assert client.bind(0x4001, other) is None
    held = house.relay.allocations[house.machine.allocations[0].handle]
    assert held.permissions == {"192.0.2.1": True}


@pytest.mark.parametrize("families", [False, True])
def test_a_peer_of_a_family_without_a_relay(*, families: bool) -> None:
    house = House()
    client = allocated(house, families=families)
    expected = None if families else ErrorCode.ADDRESS_FAMILY_MISMATCH
    assert client.permit(SIX) is expected
    assert client.bind(0x4000, SIX) is expected


def test_without_a_peer_or_with_one_that_is_none() -> None:
    house = House()
    client = allocated(house)
    assert client.permit() is ErrorCode.BAD_REQUEST
    for value in (b"", b"\0\1", bytes(8), bytes(20), b"\0\1" + bytes(18)):
        answer = client.ask(Method.CREATE_PERMISSION, (Attribute.XOR_PEER_ADDRESS, value))
        assert error_of(answer) is ErrorCode.BAD_REQUEST


def test_without_an_allocation() -> None:
    house = House()
    client = house.client()
    client.ask(Method.REFRESH)
    assert client.permit(PEER) is ErrorCode.ALLOCATION_MISMATCH
    assert client.bind(0x4000) is ErrorCode.ALLOCATION_MISMATCH
    assert error_of(client.refresh()) is ErrorCode.ALLOCATION_MISMATCH


def test_as_many_peers_as_the_quota_says() -> None:
    house = House(quotas={"permissionsPerAllocation": 3, "channelsPerAllocation": 2})
    client = allocated(house)
    peers = [TransportAddress(f"8.8.8.{number}", 5) for number in range(5)]
    assert client.permit(*peers[:4]) is ErrorCode.INSUFFICIENT_CAPACITY
    assert client.permit(*peers[:3]) is None
    assert client.permit(*peers[:3]) is None
    assert client.permit(peers[3]) is ErrorCode.INSUFFICIENT_CAPACITY
    assert client.bind(0x4000, peers[0]) is None
    assert client.bind(0x4001, peers[1]) is None
    assert client.bind(0x4001, peers[1]) is None
    assert client.bind(0x4002, peers[2]) is ErrorCode.INSUFFICIENT_CAPACITY
    other = house.client(client_port=2)
    other.allocate()
    assert other.permit(*peers[:3]) is None
    assert other.bind(0x4000, peers[3]) is ErrorCode.INSUFFICIENT_CAPACITY  # it would be a fourth
    house.now += 301
    assert client.permit(peers[4]) is None


# Channels


def test_a_channel_and_its_permission() -> None:
    house = House()
    client = allocated(house)
    assert client.bind(0x4000) is None
    (allocation,) = house.machine.allocations
    held = house.relay.allocations[allocation.handle]
    assert held.channels == {0x4000: PEER}
    assert held.permissions == {PEER.host: False}
    assert allocation.live_channels(house.now)[0x4000].peer == PEER
    assert house.machine.events() == [ChannelBound(allocation, 0x4000, PEER)]


def test_a_number_has_one_peer_and_a_peer_one_number() -> None:
    house = House()
    client = allocated(house)
    assert client.bind(0x4000, PEER) is None
    assert client.bind(0x4000, PEER) is None
    assert client.bind(0x4000, OTHER) is ErrorCode.BAD_REQUEST
    assert client.bind(0x4000, PEER._replace(port=1)) is ErrorCode.BAD_REQUEST
    assert client.bind(0x4001, PEER) is ErrorCode.BAD_REQUEST
    assert client.bind(0x4001, PEER._replace(port=1)) is None


def test_a_channel_rests_before_it_is_anothers() -> None:
    house = House()
    client = allocated(house)
    client.refresh(3600)
    client.bind(0x4000, PEER)
    house.now += CHANNEL_LIFETIME + 1
    assert client.bind(0x4000, OTHER) is ErrorCode.BAD_REQUEST
    house.now += CHANNEL_REST
    assert client.bind(0x4000, OTHER) is None
    assert client.bind(0x4002, PEER) is None


@pytest.mark.parametrize(
    ("number", "strict", "compatible"),
    [
        (0x3FFF, False, False),
        (0x4000, True, True),
        (0x4FFF, True, True),
        (0x5000, False, True),
        (0x7FFF, False, True),
        (0x8000, False, False),
        (0xFFFF, False, False),
    ],
)
def test_which_numbers_there_are(number: int, *, strict: bool, compatible: bool) -> None:
    for allowed, switch in ((strict, False), (compatible, True)):
        client = allocated(House(compatibleChannels=switch))
        assert client.bind(number) is (None if allowed else ErrorCode.BAD_REQUEST)


def test_no_channel_to_port_0() -> None:
    assert allocated(House()).bind(0x4000, PEER._replace(port=0)) is ErrorCode.BAD_REQUEST


def test_where_clients_reach_us_nothing_else_is_reached() -> None:
    """S-01: by the address we are bound to or the one known outside, unless `turn.peers` opens it."""
    outside = TransportAddress("8.8.4.4", 53)
    for peers, verdict in (({}, ErrorCode.FORBIDDEN), ({"allow": ["8.8.4.4"]}, None)):
        house = House(peers=peers)
        house.machine.listening({"192.0.2.5": outside.host})
        client = house.client(server_host="192.0.2.5")
        client.allocate()
        assert client.permit(outside) is verdict
        house.machine.listening({"192.0.2.5": "8.8.4.5"})
        assert client.permit(outside) is None, "it is ours no more"
