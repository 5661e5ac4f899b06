"""What the machine answers at all, and that it stands whatever comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.turn.refusal import ErrorCode
from headgate.turn.stun.address import TransportAddress
from headgate.turn.stun.answer import Answer
from headgate.turn.stun.attribute import Attribute
from headgate.turn.stun.message import Message, MessageClass, Method
from tests.turn.dialogue import PEER, UDP, House, error_of, heard, peer_value
from tests.turn.relay import Link


@pytest.mark.parametrize("message_class", [MessageClass.INDICATION, MessageClass.SUCCESS, MessageClass.ERROR])
@pytest.mark.parametrize("method", list(Method))
def test_only_requests_are_answered(message_class: MessageClass, method: Method) -> None:
    house = House()
    assert house.send(Link(), Answer(method, message_class, bytes(12)).finish()) is None
    assert house.machine.dropped == 1


@pytest.mark.parametrize("method", [0x002, 0x005, Method.SEND, Method.DATA, Method.CONNECTION_ATTEMPT, 0xFFF])
def test_what_is_no_request_of_a_client(method: int) -> None:
    house = House()
    data = Answer(method, MessageClass.REQUEST, bytes(12)).add(Attribute.LIFETIME, bytes(4)).finish()
    assert house.send(Link(), data) is None


def test_a_fingerprint_that_does_not_hold() -> None:
    house = House()
    whole = Answer(Method.BINDING, MessageClass.REQUEST, bytes(12)).finish(fingerprint=True)
    assert house.send(Link(), whole[:-1] + bytes([whole[-1] ^ 1])) is None
    answer = house.send(Link(), whole)
    assert answer is not None
    assert Message(answer).fingerprint_at  # as the request had one


@given(st.binary(max_size=300), st.sampled_from([1, 2, 3]))
def test_any_bytes(data: bytes, transport: int) -> None:
    house = House()
    message = heard(data)
    if message is not None:
        house.machine.receive(Link(transport=transport), message, now=1)
    for out in house.machine.to_send():
        assert Message(out.data).message_class in (MessageClass.SUCCESS, MessageClass.ERROR)


ANY = st.tuples(
    st.sampled_from(
        [
            0x0003, 0x000C, 0x000D, 0x0012, 0x0013, 0x0017, 0x0018, 0x0019,
            0x001A, 0x0022, 0x002A, 0x8000, 0x8030, 0x7777,
        ]
    ),
    st.binary(max_size=24) | st.sampled_from([UDP, b"\x01\0\0\0", b"\x02\0\0\0", bytes(4), b"\x80"]),
)  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(list(Method)), st.lists(ANY, max_size=5)), max_size=12))
def test_any_requests_of_somebody_who_is_let_in(
    requests: list[tuple[Method, list[tuple[int, bytes]]]],
) -> None:
    """Every answer is protected, and what the machine thinks the engine has is what it has."""
    house = House(mobility=True, tcpRelay=True)
    client = house.client()
    client.ask(Method.REFRESH)
    for method, attributes in requests:
        answer = client.exchange(client.build(method, *attributes))
        if answer is not None and method is not Method.BINDING:
            assert answer.is_protected
    assert {one.handle for one in house.machine.allocations} == set(house.relay.allocations)
    for allocation in house.machine.allocations:
        held = house.relay.allocations[allocation.handle]
        assert set(allocation.permissions) == set(held.permissions)
        assert {number: one.peer for number, one in allocation.channels.items()} == held.channels
        house.machine.close(allocation)
    house.machine.shut()
    assert house.machine.ports_taken == len(house.relay.bound) == 0


def test_nothing_is_kept_of_strangers() -> None:
    """S-04: Allocate without and with a wrong integrity, from many."""
    house = House(authHTTPAddress="http://127.0.0.1:1/")
    bare = Answer(Method.ALLOCATE, MessageClass.REQUEST, bytes(12)).add(Attribute.REQUESTED_TRANSPORT, UDP)
    data = bare.finish()
    wrong = (
        Answer(Method.ALLOCATE, MessageClass.REQUEST, bytes(12))
        .add(Attribute.USERNAME, b"bob")
        .add(Attribute.REALM, b"x")
        .add(Attribute.NONCE, b"x")
        .finish(key=b"garbage")
    )
    for number in range(15_000):
        link = Link(client_host=f"203.0.{number >> 8}.{number & 255}")
        assert house.send(link, data) is not None
        assert house.send(link, wrong) is not None
    wing = house.machine._wing
    held = (wing.by_five_tuple, wing.by_handle, wing.events, house.machine._waiting)
    assert not any(held)
    house.client().allocate()


def test_a_new_configuration_drops_nothing_and_holds_from_now_on() -> None:
    house = House()
    client = house.client()
    client.allocate()
    client.permit(PEER)
    other = House(
        users={"alice": "wonder"},
        peers={"deny": ["8.8.8.0/24"]},
        relayPortRange="50000-50009",
        quotas={"allocationsPerUser": 1, "answersPerSecond": 1},
        relayAddresses=["192.0.2.2"],
    )
    house.machine.follow(other.settings, other.machine.credentials, now=house.now)
    assert len(house.machine.allocations) == len(house.relay.allocations) == 1
    assert error_of(client.refresh()) is ErrorCode.UNAUTHENTICATED
    alice = house.client("alice", "wonder", client_port=3)
    relayed = alice.allocate()
    assert (relayed.host, relayed.port in range(50_000, 50_010)) == ("192.0.2.2", True)
    assert alice.permit(PEER) is ErrorCode.FORBIDDEN
    another = house.client("alice", "wonder", client_port=4)
    answer = another.ask(Method.ALLOCATE, (int(Attribute.REQUESTED_TRANSPORT), UDP))
    assert error_of(answer) is ErrorCode.ALLOCATION_QUOTA_REACHED
    stranger = house.client("alice", "wrong", client_host="198.51.100.9")
    asked = [stranger.exchange(stranger.build(Method.ALLOCATE, (0x0019, UDP))) for _ in range(7)]
    assert [answer is None for answer in asked] == [False] * 5 + [True] * 2


# RFC 6062


TCP = (int(Attribute.REQUESTED_TRANSPORT), b"\x06\0\0\0")


def test_a_tcp_relay_is_off_and_needs_a_tcp_client() -> None:
    assert error_of(House().client(transport=2, connection=1).ask(Method.ALLOCATE, TCP)) is (
        ErrorCode.UNSUPPORTED_TRANSPORT
    )
    assert error_of(House(tcpRelay=True).client().ask(Method.ALLOCATE, TCP)) is ErrorCode.BAD_REQUEST


@pytest.mark.parametrize(
    "attribute",
    [
        (int(Attribute.EVEN_PORT), b"\0"),
        (int(Attribute.RESERVATION_TOKEN), bytes(8)),
        (int(Attribute.ADDITIONAL_ADDRESS_FAMILY), b"\2\0\0\0"),
    ],
)
def test_what_does_not_go_with_tcp(attribute: tuple[int, bytes]) -> None:
    """RFC 6062 5.1."""
    client = House(tcpRelay=True).client(transport=2, connection=1)
    assert error_of(client.ask(Method.ALLOCATE, TCP, attribute)) is ErrorCode.BAD_REQUEST


def test_a_tcp_relay_that_is_switched_off_makes_no_more_connections() -> None:
    house, off = House(tcpRelay=True), House()
    client = house.client(transport=2, connection=1)
    assert error_of(client.ask(Method.ALLOCATE, TCP)) is None
    house.machine.follow(off.settings, off.machine.credentials, now=house.now)
    assert client.peer_request(Method.CONNECT, PEER) is ErrorCode.UNSUPPORTED_TRANSPORT
    assert not house.relay.dialled
    assert error_of(client.refresh()) is None


def test_udp_has_no_connections() -> None:
    house = House(tcpRelay=True)
    client = house.client(transport=2, connection=1)
    client.allocate()
    assert client.peer_request(Method.CONNECT, PEER) is ErrorCode.FORBIDDEN
    assert not house.relay.dialled


def test_tcp_has_permissions_and_no_channels() -> None:
    house = House(tcpRelay=True)
    client = house.client(transport=2, connection=1)
    assert error_of(client.ask(Method.ALLOCATE, TCP)) is None
    assert client.permit(PEER) is None
    assert client.bind(0x4000) is ErrorCode.BAD_REQUEST
    assert not house.relay.allocations[house.machine.allocations[0].handle].channels


def test_a_connection_to_a_peer() -> None:
    house = House(tcpRelay=True)
    client = house.client(transport=2, connection=1)
    assert error_of(client.ask(Method.ALLOCATE, TCP)) is None
    (allocation,) = house.machine.allocations
    assert client.peer_request(Method.CONNECT, TransportAddress("127.0.0.1", 80)) is ErrorCode.FORBIDDEN
    assert client.peer_request(Method.CONNECT, TransportAddress("192.0.2.1", 80)) is ErrorCode.FORBIDDEN
    house.relay.descriptors = 1
    assert client.peer_request(Method.CONNECT, PEER) is ErrorCode.INSUFFICIENT_CAPACITY
    house.relay.descriptors = 2
    transaction = b"connect-----"
    request = client.build(
        Method.CONNECT,
        (Attribute.XOR_PEER_ADDRESS, peer_value(PEER, transaction)),
        transaction=transaction,
    )
    assert client.exchange(request) is None
    ((connection, dialled),) = house.relay.dialled.items()
    assert dialled == PEER
    assert client.peer_request(Method.CONNECT, PEER) is ErrorCode.CONNECTION_ALREADY_EXISTS
    house.machine.peer_connected(allocation.handle, connection, PEER, incoming=False)
    (out,) = house.machine.to_send()
    identity = Message(out.data).attributes[Attribute.CONNECTION_ID]
    assert Message(out.data).transaction == transaction

    thief = house.client("alice", "wonder", transport=2, connection=2, client_port=3)
    bind = (int(Attribute.CONNECTION_ID), identity)
    assert error_of(thief.ask(Method.CONNECTION_BIND, bind)) is ErrorCode.BAD_REQUEST
    assert error_of(client.ask(Method.CONNECTION_BIND, bind)) is ErrorCode.BAD_REQUEST
    carrier = house.client(transport=2, connection=3, client_port=4)
    carrier.ask(Method.REFRESH)
    request = Message(carrier.build(Method.CONNECTION_BIND, bind))
    house.machine.receive(carrier.five_tuple, request, now=house.now)
    (out,) = house.machine.to_send()
    assert error_of(Message(out.data)) is None
    assert out.join == connection
    assert error_of(carrier.ask(Method.CONNECTION_BIND, bind)) is ErrorCode.BAD_REQUEST


def test_a_connection_from_a_peer_and_one_that_fails() -> None:
    house = House(tcpRelay=True)
    client = house.client(transport=2, connection=1)
    client.ask(Method.ALLOCATE, TCP)
    (allocation,) = house.machine.allocations
    house.machine.peer_connected(allocation.handle, 77, PEER, incoming=True)
    (out,) = house.machine.to_send()
    attempt = Message(out.data)
    assert (attempt.method, attempt.message_class) == (Method.CONNECTION_ATTEMPT, MessageClass.INDICATION)
    house.machine.peer_closed(allocation.handle, 77)
    carrier = house.client(transport=2, connection=2, client_port=4)
    gone = (int(Attribute.CONNECTION_ID), attempt.attributes[Attribute.CONNECTION_ID])
    assert error_of(carrier.ask(Method.CONNECTION_BIND, gone)) is ErrorCode.BAD_REQUEST
    assert client.peer_request(Method.CONNECT, PEER) is None
    (connection,) = house.relay.dialled
    house.machine.peer_closed(allocation.handle, connection)
    (out,) = house.machine.to_send()
    assert error_of(Message(out.data)) is ErrorCode.CONNECTION_TIMEOUT_OR_FAILURE
    assert allocation.connections == {}
