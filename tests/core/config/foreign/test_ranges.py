from __future__ import annotations

import ipaddress

import pytest

from headgate.core.config.foreign.ranges import TooMany, parse_range, without
from headgate.core.config.networks import Network, parse_network


def networks(*texts: str) -> list[Network]:
    return [parse_network(text) for text in texts]


def test_ranges() -> None:
    assert parse_range("10.0.0.0-10.255.255.255") == networks("10.0.0.0/8")
    assert parse_range("10.0.0.1 - 10.0.0.2") == networks("10.0.0.1", "10.0.0.2")
    assert parse_range("2001:db8::-2001:db8::ff") == networks("2001:db8::/120")
    assert parse_range("10.0.0.0/8") == networks("10.0.0.0/8")


@pytest.mark.parametrize("text", ["", "-", "x", "1.1.1.2-1.1.1.1", "1.1.1.1-::1", "1.1.1.1-", "1-2-3"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"address|IP|last"):
        parse_range(text)


def test_what_is_left() -> None:
    left = without(networks("10.0.0.0/24", "::/126"), networks("10.0.0.128/25", "::1", "192.0.2.0/24"))
    assert left == networks("10.0.0.0/25", "::/128", "::2/127")
    assert without(networks("10.0.0.0/24"), networks("0.0.0.0/0")) == []


def test_every_address_is_where_it_belongs() -> None:
    whole, holes = networks("192.0.2.0/24"), networks("192.0.2.7", "192.0.2.64/27", "192.0.2.200/30")
    left = without(whole, holes)
    for address in ipaddress.ip_network("192.0.2.0/24"):
        kept = any(address in one for one in left)
        assert kept is not any(address in hole for hole in holes)


def test_too_many() -> None:
    holes = [ipaddress.ip_network(f"2001:db8:{n:x}::1/128") for n in range(100)]
    with pytest.raises(TooMany):
        without(networks("2001:db8::/32"), holes)
