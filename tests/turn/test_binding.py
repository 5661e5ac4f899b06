"""Binding (RFC 8489 12) and behaviour discovery (RFC 5780)."""

from __future__ import annotations

import pytest

from headgate.turn.refusal import ErrorCode
from headgate.turn.stun.address import TransportAddress, plain_address, read_address
from headgate.turn.stun.answer import Answer
from headgate.turn.stun.attribute import Attribute
from headgate.turn.stun.message import Message, MessageClass, Method
from tests.turn.dialogue import House, error_of

FOUR = [TransportAddress(host, port) for host in ("192.0.2.1", "192.0.2.2") for port in (3478, 3479)]
BARE = Answer(Method.BINDING, MessageClass.REQUEST, bytes(12)).finish()


def binding(*attributes: tuple[int, bytes]) -> bytes:
    request = Answer(Method.BINDING, MessageClass.REQUEST, bytes(12))
    for attribute, value in attributes:
        request.add(attribute, value)
    return request.finish()


@pytest.mark.parametrize(("host", "size"), [("198.51.100.7", 32), ("2001:db8::7", 44)])
def test_the_address_and_nothing_else(host: str, size: int) -> None:
    """S-06: at most 2.2 times what was asked with."""
    house = House()
    client = house.client(client_host=host)
    data = house.send(client.five_tuple, BARE)
    assert data is not None
    assert len(data) == size
    answer = Message(data)
    assert list(answer.attributes) == [Attribute.XOR_MAPPED_ADDRESS]
    mapped = read_address(answer.attributes[Attribute.XOR_MAPPED_ADDRESS], answer.transaction)
    assert mapped == (host, 40_000)


def test_strangers_get_so_many_answers() -> None:
    house = House(quotas={"answersPerSecond": 10})
    answers = [house.send(house.client(client_port=port).five_tuple, BARE) for port in range(100)]
    assert sum(answer is not None for answer in answers) == 50
    assert house.machine.unanswered == 50
    assert house.send(house.client(client_host="198.51.100.8").five_tuple, BARE) is not None


SIX = [TransportAddress(host, port) for host in ("2001:db8::1", "2001:db8::2") for port in (3478, 3479)]
ASKS = (Attribute.CHANGE_REQUEST, bytes(4))
NAMED = (Attribute.SOFTWARE, b"a client that speaks RFC 5780")
MAPPED, ORIGIN, OTHER = Attribute.XOR_MAPPED_ADDRESS, Attribute.RESPONSE_ORIGIN, Attribute.OTHER_ADDRESS


@pytest.mark.parametrize(
    ("listeners", "attributes", "fingerprint", "told"),
    [
        (FOUR, [], False, [MAPPED, OTHER]),
        (FOUR, [], True, [MAPPED, OTHER]),
        (FOUR, [ASKS], False, [MAPPED, ORIGIN, OTHER]),
        (FOUR, [ASKS], True, [MAPPED, ORIGIN, OTHER]),
        (SIX, [], False, [MAPPED]),
        (SIX, [], True, [MAPPED]),
        (SIX, [ASKS], False, [MAPPED]),
        (SIX, [ASKS], True, [MAPPED, OTHER]),
        (SIX, [NAMED], False, [MAPPED, ORIGIN, OTHER]),
    ],
)
def test_with_discovery_too(
    listeners: list[TransportAddress],
    attributes: list[tuple[int, bytes]],
    fingerprint: bool,  # noqa: FBT001 (a parameter of pytest's)
    told: list[Attribute],
) -> None:
    """S-06: what discovery adds is told as far as the question is long enough."""
    house = House(listeners=listeners)
    request = Answer(Method.BINDING, MessageClass.REQUEST, bytes(12))
    for attribute, value in attributes:
        request.add(attribute, value)
    asked = request.finish(fingerprint=fingerprint)
    six = listeners is SIX
    client = house.client(client_host="2001:db8::7" if six else "198.51.100.7", server_host=listeners[0].host)
    data = house.send(client.five_tuple, asked)
    assert data is not None
    assert len(data) <= 2.2 * len(asked)
    answer = Message(data)
    assert [kind for kind in answer.attributes if kind != 0x8028] == told


@pytest.mark.parametrize("listeners", [[], FOUR[:2], FOUR[::3], FOUR[:3]])
def test_without_four_listeners_nothing_can_be_changed(listeners: list[TransportAddress]) -> None:
    house = House(listeners=listeners)
    answer = house.client().exchange(binding((Attribute.CHANGE_REQUEST, b"\0\0\0\6")))
    assert answer is not None
    assert error_of(answer) is ErrorCode.UNKNOWN_ATTRIBUTE
    assert answer.attributes[Attribute.UNKNOWN_ATTRIBUTES] == b"\0\3"
    assert house.client().exchange(BARE) is not None


@pytest.mark.parametrize(("flags", "source"), [(0, None), (2, FOUR[1]), (4, FOUR[2]), (6, FOUR[3])])
def test_the_answer_comes_from_where_it_was_asked_to(flags: int, source: TransportAddress | None) -> None:
    house = House(listeners=FOUR)
    client = house.client()
    house.machine.receive(
        client.five_tuple, Message(binding((Attribute.CHANGE_REQUEST, bytes((0, 0, 0, flags))))), now=1
    )
    (out,) = house.machine.to_send()
    answer = Message(out.data)
    assert out.source == source
    assert answer.attributes[Attribute.OTHER_ADDRESS] == plain_address(*FOUR[3])
    assert answer.attributes[Attribute.RESPONSE_ORIGIN] == plain_address(*(source or FOUR[0]))


def test_an_answer_goes_to_the_port_that_was_named() -> None:
    house = House(listeners=FOUR)
    asked = binding((Attribute.RESPONSE_PORT, b"\x12\x34\0\0"))
    house.machine.receive(house.client().five_tuple, Message(asked), now=1)
    (out,) = house.machine.to_send()
    assert (out.source, out.port) == (FOUR[0], 0x1234)
    for value in (b"", b"\0\0\0\0", b"\1"):
        answer = house.client().exchange(binding((Attribute.RESPONSE_PORT, value)))
        assert answer is not None
        assert error_of(answer) is ErrorCode.BAD_REQUEST


def test_nobody_has_an_answer_made_long() -> None:
    answer = House(listeners=FOUR).client().exchange(binding((Attribute.PADDING, bytes(4))))
    assert answer is not None
    assert error_of(answer) is ErrorCode.UNKNOWN_ATTRIBUTE


def test_a_change_request_of_another_size() -> None:
    house = House(listeners=FOUR)
    answer = house.client().exchange(binding((Attribute.CHANGE_REQUEST, b"\6")))
    assert answer is not None
    assert error_of(answer) is ErrorCode.BAD_REQUEST
