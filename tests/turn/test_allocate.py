"""Allocate (RFC 8656 7.2)."""

from __future__ import annotations

import errno
from collections.abc import Sequence

import pytest

from headgate.turn.allocate import DEFAULT_LIFETIME, LONGEST_LIFETIME
from headgate.turn.events import Allocated
from headgate.turn.ports import RESERVED
from headgate.turn.refusal import ErrorCode
from headgate.turn.relay import FiveTuple
from headgate.turn.stun.address import Family, read_address
from headgate.turn.stun.attribute import Attribute
from headgate.turn.stun.message import Message, Method
from tests.turn.dialogue import UDP, Client, House, error_of
from tests.turn.relay import RelayTwin

TRANSPORT = (Attribute.REQUESTED_TRANSPORT, UDP)
RESERVE_TOKEN = Attribute.RESERVATION_TOKEN
V4, V6 = b"\x01\0\0\0", b"\x02\0\0\0"


def ask(client: Client, *attributes: tuple[int, bytes]) -> Message:
    return client.ask(Method.ALLOCATE, TRANSPORT, *attributes)


def test_an_allocation() -> None:
    house = House()
    client = house.client()
    answer = ask(client)
    assert answer.is_protected
    relayed = read_address(answer.attributes[Attribute.XOR_RELAYED_ADDRESS], answer.transaction)
    mapped = read_address(answer.attributes[Attribute.XOR_MAPPED_ADDRESS], answer.transaction)
    assert relayed.host == "192.0.2.1"
    assert relayed.port in house.settings.relay_ports
    assert mapped == ("198.51.100.7", 40_000)
    assert answer.attributes[Attribute.LIFETIME] == DEFAULT_LIFETIME.to_bytes(4)
    (allocation,) = house.machine.allocations
    assert house.machine.events() == [Allocated(allocation)]
    assert (allocation.name, allocation.user, allocation.relayed) == ("bob", "bob", relayed)
    assert house.relay.allocations[allocation.handle].rate == house.settings.quotas.bytes_per_second


def test_the_external_address_is_told() -> None:
    house = House(relayAddresses=[{"address": "192.168.0.2", "external": "203.0.113.5"}])
    assert house.client().allocate().host == "203.0.113.5"
    assert next(iter(house.relay.bound.values()))[0] == "192.168.0.2"


def test_without_relay_addresses_it_is_the_one_we_were_reached_at() -> None:
    house = House(relayAddresses=[])
    assert house.client(server_host="192.0.2.77").allocate().host == "192.0.2.77"
    six = house.client(server_host="2001:db8::9", client_host="2001:db8::8")
    assert six.allocate().host == "2001:db8::9"
    house.machine.listening({"10.0.0.1": "203.0.113.9"})
    assert house.client(server_host="10.0.0.1").allocate().host == "203.0.113.9"


def test_a_retransmission_is_answered_alike_and_makes_nothing() -> None:
    house = House()
    client = house.client()
    first = ask(client)
    again = client.ask(Method.ALLOCATE, TRANSPORT, transaction=first.transaction)
    assert again.attributes == first.attributes
    assert len(house.relay.bound) == len(house.relay.allocations) == 1
    assert len(house.machine.events()) == 1
    # What is answered has somebody's relayed address in it: it is nobody else's to hear.
    other = house.client("alice", "wonder")
    stolen = other.ask(Method.ALLOCATE, TRANSPORT, transaction=first.transaction)
    assert error_of(stolen) is ErrorCode.ALLOCATION_MISMATCH


def test_a_second_one_on_the_same_five_tuple() -> None:
    client = House().client()
    client.allocate()
    assert error_of(ask(client)) is ErrorCode.ALLOCATION_MISMATCH


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, ErrorCode.BAD_REQUEST),
        (b"\x11", ErrorCode.BAD_REQUEST),
        (b"\x06\0\0\0", ErrorCode.UNSUPPORTED_TRANSPORT),
        (b"\x84\0\0\0", ErrorCode.UNSUPPORTED_TRANSPORT),
    ],
)
def test_the_transport(value: bytes | None, code: ErrorCode) -> None:
    client = House().client()
    attributes = [] if value is None else [(int(Attribute.REQUESTED_TRANSPORT), value)]
    if value is None:
        attributes = [(int(Attribute.SOFTWARE), b"x")]
    assert error_of(client.ask(Method.ALLOCATE, *attributes)) is code


def test_dont_fragment_is_understood_and_what_is_not_is_named() -> None:
    client = House().client()
    assert error_of(ask(client, (Attribute.DONT_FRAGMENT, b""))) is None
    answer = ask(client, (0x7FFE, b"x"), (0x0025, b""), (0xC001, b""))
    assert error_of(answer) is ErrorCode.UNKNOWN_ATTRIBUTE
    assert answer.attributes[Attribute.UNKNOWN_ATTRIBUTES] == bytes.fromhex("7ffe0025")
    assert answer.is_protected


@pytest.mark.parametrize(
    ("wanted", "granted"),
    [(0, 600), (599, 600), (601, 601), (3600, 3600), (3601, LONGEST_LIFETIME), (2**32 - 1, LONGEST_LIFETIME)],
)
def test_its_lifetime(wanted: int, granted: int) -> None:
    house = House()
    answer = ask(house.client(), (Attribute.LIFETIME, wanted.to_bytes(4)))
    assert answer.attributes[Attribute.LIFETIME] == granted.to_bytes(4)
    assert house.relay.allocations[house.machine.allocations[0].handle].lifetime == granted


# Families


def test_the_requested_family() -> None:
    house = House()
    answer = ask(house.client(), (Attribute.REQUESTED_ADDRESS_FAMILY, V6))
    relayed = read_address(answer.attributes[Attribute.XOR_RELAYED_ADDRESS], answer.transaction)
    assert relayed.host == "2001:db8::1"


@pytest.mark.parametrize(
    ("family", "code"),
    [
        (b"\x03\0\0\0", ErrorCode.ADDRESS_FAMILY_NOT_SUPPORTED),
        (b"\x02", ErrorCode.BAD_REQUEST),
        (V6, ErrorCode.ADDRESS_FAMILY_NOT_SUPPORTED),
    ],
)
def test_a_family_we_have_not(family: bytes, code: ErrorCode) -> None:
    house = House(relayAddresses=["192.0.2.1"])
    assert error_of(ask(house.client(), (Attribute.REQUESTED_ADDRESS_FAMILY, family))) is code
    assert not house.relay.bound


@pytest.mark.parametrize(
    "attribute", [Attribute.ADDITIONAL_ADDRESS_FAMILY, Attribute.ADDITIONAL_ADDRESS_FAMILY_OF_COTURN]
)
def test_two_families_at_once(attribute: Attribute) -> None:
    house = House()
    answer = ask(house.client(), (attribute, V6))
    assert error_of(answer) is None
    (allocation,) = house.machine.allocations
    assert [port.address.family for port in allocation.relays] == [Family.IPV4, Family.IPV6]
    assert len(house.relay.allocations[allocation.handle].relays) == 2


def test_where_the_second_family_is_not_to_be_had_the_answer_says_so() -> None:
    house = House(relayAddresses=["192.0.2.1"])
    answer = ask(house.client(), (Attribute.ADDITIONAL_ADDRESS_FAMILY, V6))
    assert error_of(answer) is None
    assert answer.attributes[Attribute.ADDRESS_ERROR_CODE] == bytes((2, 0, 4, 40))
    assert len(house.machine.allocations[0].relays) == 1


@pytest.mark.parametrize(
    "attributes",
    [
        [(Attribute.REQUESTED_ADDRESS_FAMILY, V4), (Attribute.ADDITIONAL_ADDRESS_FAMILY, V6)],
        [(Attribute.ADDITIONAL_ADDRESS_FAMILY, V4)],
        [(Attribute.ADDITIONAL_ADDRESS_FAMILY, V6), (Attribute.EVEN_PORT, b"\x80")],
        [(Attribute.RESERVATION_TOKEN, bytes(8)), (Attribute.EVEN_PORT, b"\0")],
        [(Attribute.RESERVATION_TOKEN, bytes(8)), (Attribute.REQUESTED_ADDRESS_FAMILY, V4)],
        [(Attribute.RESERVATION_TOKEN, bytes(8)), (Attribute.ADDITIONAL_ADDRESS_FAMILY, V6)],
        [(Attribute.EVEN_PORT, b"")],
        [(Attribute.LIFETIME, b"\0")],
    ],
)
def test_what_does_not_go_together(attributes: list[tuple[int, bytes]]) -> None:
    house = House()
    assert error_of(ask(house.client(), *attributes)) is ErrorCode.BAD_REQUEST
    assert not house.relay.bound


# Ports


def test_an_even_port() -> None:
    house = House()
    for number in range(20):
        relayed = house.client(client_port=number).allocate((Attribute.EVEN_PORT, b"\0"))
        assert relayed.port % 2 == 0
    assert len(house.relay.bound) == 20


def test_the_next_port_is_kept_for_who_has_the_token() -> None:
    house = House()
    answer = ask(house.client(), (Attribute.EVEN_PORT, b"\x80"))
    token = answer.attributes[Attribute.RESERVATION_TOKEN]
    first = read_address(answer.attributes[Attribute.XOR_RELAYED_ADDRESS], answer.transaction)
    second = house.client(client_port=2).allocate((Attribute.RESERVATION_TOKEN, token))
    assert second == (first.host, first.port + 1)
    again = ask(house.client(client_port=3), (Attribute.RESERVATION_TOKEN, token))
    assert error_of(again) is ErrorCode.INSUFFICIENT_CAPACITY


def test_who_overhears_a_token_gets_nothing_for_it() -> None:
    """RFC 8656 leaves it open whose a token is; over UDP anybody on the way may read it."""
    house = House()
    token = ask(house.client(), (Attribute.EVEN_PORT, b"\x80")).attributes[Attribute.RESERVATION_TOKEN]
    mallory = house.client("alice", "wonder", client_port=2)
    assert error_of(ask(mallory, (Attribute.RESERVATION_TOKEN, token))) is ErrorCode.INSUFFICIENT_CAPACITY
    assert error_of(ask(house.client(client_port=3), (Attribute.RESERVATION_TOKEN, token))) is None
    assert house.machine.usage == {"bob": 2}


def test_a_fresh_expiry_is_the_same_user_s_token() -> None:
    house = House()
    clients = []
    for number in (0, 1):
        minted = house.machine.credentials.mint(user="carol", ttl=60 + number, now=house.wall)
        clients.append(house.client(minted.name, minted.password, client_port=number))
    token = ask(clients[0], (Attribute.EVEN_PORT, b"\x80")).attributes[Attribute.RESERVATION_TOKEN]
    assert error_of(ask(clients[1], (Attribute.RESERVATION_TOKEN, token))) is None


def test_a_reservation_runs_out() -> None:
    house = House()
    token = ask(house.client(), (Attribute.EVEN_PORT, b"\x80")).attributes[Attribute.RESERVATION_TOKEN]
    house.now += RESERVED
    assert house.machine.deadline() == house.now
    house.machine.expire(house.now)
    late = ask(house.client(client_port=2), (Attribute.RESERVATION_TOKEN, token))
    assert error_of(late) is ErrorCode.INSUFFICIENT_CAPACITY
    assert len(house.relay.bound) == 1


def test_no_port_is_left() -> None:
    house = House(relayPortRange="50000-50003")
    for number in range(4):
        house.client(client_port=number).allocate()
    assert error_of(ask(house.client(client_port=9))) is ErrorCode.INSUFFICIENT_CAPACITY


@pytest.mark.parametrize("attributes", [[], [(Attribute.EVEN_PORT, b"\x80")]])
def test_what_the_engine_refuses_leaves_nothing_behind(attributes: list[tuple[int, bytes]]) -> None:
    house = House(quotas={"allocationsPerUser": 2})
    house.relay.refuses = True
    for _ in range(3):
        assert error_of(ask(house.client(), *attributes)) is ErrorCode.INSUFFICIENT_CAPACITY
    assert not house.relay.bound
    assert not house.machine.usage
    assert house.machine.ports_taken == 0


# Quotas


@pytest.mark.parametrize(
    ("quota", "code"),
    [
        ("allocationsPerUser", ErrorCode.ALLOCATION_QUOTA_REACHED),
        ("allocationsPerAddress", ErrorCode.ALLOCATION_QUOTA_REACHED),
        ("allocations", ErrorCode.INSUFFICIENT_CAPACITY),
    ],
)
def test_a_quota_admits_exactly_as_many(quota: str, code: ErrorCode) -> None:
    """S-05."""
    house = House(quotas={quota: 10})
    clients = [house.client(client_port=number) for number in range(10)]
    for client in clients:
        client.allocate()
    late = house.client(client_port=99)
    assert error_of(ask(late)) is code
    clients[3].refresh(0)
    assert error_of(ask(late)) is None
    assert house.machine.usage == {"bob": 10}


@pytest.mark.parametrize("quota", ["allocationsPerUser", "allocationsPerAddress", "allocations"])
def test_a_port_that_waits_counts_as_the_allocation_it_will_be(quota: str) -> None:
    """S-05: or who asks for pairs only, and goes, would have all ports."""
    house = House(quotas={quota: 3, "newAllocationsPerSecond": 0})
    reserve = (Attribute.EVEN_PORT, b"\x80")
    first = house.client()
    token = ask(first, reserve).attributes[Attribute.RESERVATION_TOKEN]
    assert house.machine.usage == {"bob": 1}
    assert error_of(ask(house.client(client_port=2), reserve)) in {
        ErrorCode.ALLOCATION_QUOTA_REACHED,
        ErrorCode.INSUFFICIENT_CAPACITY,
    }
    first.refresh(0)
    other = house.client(client_port=3)
    assert RESERVE_TOKEN in ask(other, reserve).attributes
    other.refresh(0)
    assert error_of(ask(house.client(client_port=4))) is None
    assert error_of(ask(house.client(client_port=5))) is not None
    # Who comes for a port has been counted already; who does not is counted no more.
    taken = house.client(client_port=6)
    assert error_of(ask(taken, (RESERVE_TOKEN, token))) is None
    house.now += RESERVED
    house.machine.expire(house.now)
    assert error_of(ask(house.client(client_port=7))) is None
    assert error_of(ask(house.client(client_port=8))) is not None
    assert house.machine.usage == {"bob": 3}


def test_a_fresh_expiry_is_no_way_around_a_quota() -> None:
    house = House(quotas={"allocationsPerUser": 2})
    codes = []
    for number in range(3):
        minted = house.machine.credentials.mint(user="carol", ttl=60 + number, now=house.wall)
        codes.append(error_of(ask(house.client(minted.name, minted.password, client_port=number))))
    assert codes == [None, None, ErrorCode.ALLOCATION_QUOTA_REACHED]


def test_the_pace_of_one_address() -> None:
    house = House(quotas={"newAllocationsPerSecond": 2})
    codes = [error_of(ask(house.client(client_port=number))) for number in range(12)]
    assert codes == [None] * 10 + [ErrorCode.ALLOCATION_QUOTA_REACHED] * 2
    assert error_of(ask(house.client("alice", "wonder", client_host="198.51.100.8"))) is None
    house.now += 1
    assert error_of(ask(house.client(client_port=77))) is None
    faster = House(quotas={"newAllocationsPerSecond": 50})
    house.machine.follow(faster.settings, faster.machine.credentials, now=house.now)
    house.now += 1
    codes = [error_of(ask(house.client(client_port=100 + number))) for number in range(20)]
    assert codes == [None] * 20


# Others


def test_others_may_have_it() -> None:
    house = House(alternateServers=["203.0.113.5:3478", "[2001:db8::5]:3478", "203.0.113.6:3479"])
    told = []
    for number in range(4):
        answer = ask(house.client(client_port=number))
        assert error_of(answer) is ErrorCode.TRY_ALTERNATE
        told.append(answer.attributes[Attribute.ALTERNATE_SERVER].hex())
    assert told == ["00010d96cb007105", "00010d97cb007106"] * 2
    assert not house.relay.bound


def test_nobody_is_sent_to_where_they_are() -> None:
    """A client that is sent in a circle gives up (RFC 8489 10)."""
    house = House(alternateServers=["192.0.2.1:3478", "203.0.113.5:3478"])
    for number in range(2):
        answer = ask(house.client(client_port=number))
        assert answer.attributes[Attribute.ALTERNATE_SERVER].hex() == "00010d96cb007105"
    assert error_of(ask(House(alternateServers=["192.0.2.1:3478"]).client())) is None
    behind = House(alternateServers=["203.0.113.9:3478"])
    behind.machine.listening({"192.0.2.1": "203.0.113.9"})
    assert error_of(ask(behind.client())) is None
    assert error_of(ask(behind.client(server_port=3479))) is ErrorCode.TRY_ALTERNATE


def test_who_stops_takes_nobody_new_and_lets_the_others_go_on() -> None:
    house = House()
    client = house.client()
    client.allocate()
    house.machine.drain()
    assert error_of(ask(house.client(client_port=2))) is ErrorCode.INSUFFICIENT_CAPACITY
    assert error_of(client.refresh()) is None


def test_ports_come_back_however_an_allocation_ends() -> None:
    house = House(relayPortRange="50000-50199", quotas={"allocationsPerUser": 0})
    clients = [
        house.client(client_port=number, transport=number % 3 + 1, connection=number) for number in range(90)
    ]
    for number, client in enumerate(clients):
        extra = [(Attribute.EVEN_PORT, b"\x80")], [(Attribute.ADDITIONAL_ADDRESS_FAMILY, V6)], []
        client.allocate(*extra[number % 3])
    for number, client in enumerate(clients):
        allocation = house.machine.by_five_tuple(client.five_tuple)
        assert allocation is not None
        match number % 3:
            case 0:
                client.refresh(0)
            case 1:
                assert house.machine.close(allocation)
            case 2:  # its connection went, or its time: the engine says so
                house.relay.close(allocation.handle)
                assert house.machine.ended(allocation.handle) is allocation
        assert house.machine.ended(allocation.handle) is None
    house.machine.expire(house.now + RESERVED)
    assert house.machine.ports_taken == len(house.relay.bound) == 0
    assert house.machine.usage == {}


def test_of_two_families_the_second_alone() -> None:
    house = House(relayAddresses=["2001:db8::1"])
    answer = ask(house.client(), (Attribute.ADDITIONAL_ADDRESS_FAMILY, V6))
    assert error_of(answer) is None
    relayed = read_address(answer.attributes[Attribute.XOR_RELAYED_ADDRESS], answer.transaction)
    assert relayed.host == "2001:db8::1"
    assert answer.attributes[Attribute.ADDRESS_ERROR_CODE] == bytes((1, 0, 4, 40))


def test_of_two_families_neither() -> None:
    house = House(relayPortRange="50000-50001")
    for port in (1, 2):
        ask(house.client(client_port=port), (Attribute.ADDITIONAL_ADDRESS_FAMILY, V6))
    answer = ask(house.client(client_port=3), (Attribute.ADDITIONAL_ADDRESS_FAMILY, V6))
    assert error_of(answer) is ErrorCode.INSUFFICIENT_CAPACITY


def test_a_five_tuple_that_the_engine_has_not_let_go_of() -> None:
    """437 says to come again from another port; 508 would send the client to another server."""

    class Slow(RelayTwin):
        def allocate(
            self, five_tuple: FiveTuple, relays: Sequence[int], *, lifetime: float, rate: int, movable: bool
        ) -> int:
            raise FileExistsError(errno.EEXIST, "it ends soon")

    house = House(relay=Slow())
    assert error_of(ask(house.client())) is ErrorCode.ALLOCATION_MISMATCH
    assert house.machine.ports_taken == len(house.relay.bound) == 0
