from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.turn.stun.address import family_of, plain_address, read_address, xor_address
from headgate.turn.stun.message import Malformed

TRANSACTION = bytes(range(12))


@given(st.ip_addresses(), st.integers(0, 65535), st.binary(min_size=12, max_size=12))
def test_there_and_back(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int, transaction: bytes
) -> None:
    read = read_address(xor_address(str(address), port, transaction), transaction)
    assert (ipaddress.ip_address(read.host), read.port) == (address, port)
    assert family_of(read.host) == {4: 1, 6: 2}[address.version]


@given(st.binary(max_size=40))
def test_any_value_is_an_address_or_malformed(value: bytes) -> None:
    try:
        ipaddress.ip_address(read_address(value, TRANSACTION).host)
    except Malformed:
        assert len(value) not in (8, 20) or value[1] not in (1, 2) or len(value) != {1: 8, 2: 20}[value[1]]


def test_without_xor() -> None:
    assert plain_address("192.0.2.1", 3478) == bytes.fromhex("00010d96c0000201")
    assert plain_address("::1", 1) == bytes.fromhex("00020001") + bytes(15) + b"\x01"


def test_no_host_names() -> None:
    with pytest.raises(OSError, match="illegal IP"):
        xor_address("localhost", 1, TRANSACTION)
