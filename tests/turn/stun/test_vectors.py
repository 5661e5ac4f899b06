"""The test vectors of RFC 5769."""

from __future__ import annotations

import pytest

from headgate.turn.stun.address import read_address
from headgate.turn.stun.attribute import Attribute
from headgate.turn.stun.integrity import PasswordAlgorithm, long_term_key
from headgate.turn.stun.message import Message, MessageClass, Method

PASSWORD = b"VOkJxbRl1RmTxUk/WvJxBt"
TRANSACTION = "b7e7a701bc34d686fa87dfae"

REQUEST = bytes.fromhex(
    f"000100582112a442{TRANSACTION}"
    "802200105354554e207465737420636c69656e74"
    "002400046e0001ff"
    "80290008932ff9b151263b36"
    "000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
    "80280004e57a3bcf"
)
RESPONSE_V4 = bytes.fromhex(
    f"0101003c2112a442{TRANSACTION}"
    "8022000b7465737420766563746f7220"
    "002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7"
    "80280004c07d4c96"
)
RESPONSE_V6 = bytes.fromhex(
    f"010100482112a442{TRANSACTION}"
    "8022000b7465737420766563746f7220"
    "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
    "00080014a382954e4be67bf11784c97c8292c275bfe3ed41"
    "80280004c8fb0b4c"
)
LONG_TERM = bytes.fromhex(
    "000100602112a44278ad3433c6ad72c029da412e"
    "00060012e3839ee38388e383aae38383e382afe382b90000"
    "0015001c662f2f3439396b39353464364f4c33346f4c394653547679363473410014000b"
    "6578616d706c652e6f726700"
    "00080014f67024656dd64a3e02b8e0712e85c9a28ca89666"
)


def test_a_request() -> None:
    message = Message(REQUEST)
    assert message.method == Method.BINDING
    assert message.message_class == MessageClass.REQUEST
    assert message.attributes[Attribute.USERNAME] == b"evtj:h6vY"
    assert message.attributes[Attribute.SOFTWARE] == b"STUN test client"
    assert message.unknown == [0x0024]  # PRIORITY is ICE's
    assert message.holds(PASSWORD)
    assert not message.holds(PASSWORD + b".")
    assert message.fingerprint_holds()


@pytest.mark.parametrize(
    ("data", "host"),
    [(RESPONSE_V4, "192.0.2.1"), (RESPONSE_V6, "2001:db8:1234:5678:11:2233:4455:6677")],
)
def test_the_responses(data: bytes, host: str) -> None:
    message = Message(data)
    assert message.message_class == MessageClass.SUCCESS
    mapped = read_address(message.attributes[Attribute.XOR_MAPPED_ADDRESS], message.transaction)
    assert mapped == (host, 32853)
    assert message.holds(PASSWORD)
    assert message.fingerprint_holds()


def test_long_term_credentials() -> None:
    message = Message(LONG_TERM)
    user = message.attributes[Attribute.USERNAME].decode()
    assert user == "マトリックス"
    key = long_term_key(user=user, realm="example.org", password="TheMatrIX", algorithm=PasswordAlgorithm.MD5)
    assert message.holds(key)


@pytest.mark.parametrize("data", [REQUEST, RESPONSE_V4, RESPONSE_V6, LONG_TERM])
def test_any_bit_that_is_another_is_noticed(data: bytes) -> None:
    key = PASSWORD
    if data is LONG_TERM:
        key = long_term_key(
            user="マトリックス",
            realm="example.org",
            password="TheMatrIX",
            algorithm=PasswordAlgorithm.MD5,
        )
    for position in range(20, len(data)):
        changed = bytearray(data)
        changed[position] ^= 1
        try:
            message = Message(bytes(changed))
        except ValueError:
            continue
        assert not (message.holds(key) and message.fingerprint_holds()) or not message.fingerprint_at
