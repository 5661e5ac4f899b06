"""S-01: every form of every address that is not the public Internet's."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.config.networks import parse_network
from headgate.turn.peers import DENIED, PeerPolicy, canonical, forms

INTERNAL_V4 = [
    "0.0.0.0",
    "0.255.255.255",
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.7",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.3",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
]
INTERNAL_V6 = [
    "::",
    "::1",
    "100::1",
    "2001::1",
    "2001:1ff:ffff::1",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fdff:ffff::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "1::1",  # nobody's: IANA has given out addresses of 2000::/3 alone
    "64:ff9a::808:808",
    "4000::1",
    "8000::1",
]
PUBLIC = [
    *("8.8.8.8", "1.1.1.1", "100.128.0.1", "172.32.0.1", "198.20.0.1"),
    *("2606:4700::1111", "2a00:1450::1", "64:ff9b::808:808", "2002:808:808::1"),
]


def embedded(text: str) -> list[str]:
    """Every IPv6 form in which an IPv4 address can hide."""
    number = int(ipaddress.IPv4Address(text))
    head, tail = number >> 16, number & 0xFFFF
    octets = number.to_bytes(4)
    a, b, c, d = octets
    inverted = number ^ 0xFFFFFFFF
    return [
        f"::ffff:{text}",
        f"::{head:x}:{tail:x}",
        f"::ffff:0:{head:x}:{tail:x}",
        f"2002:{head:x}:{tail:x}::1",
        f"64:ff9b::{head:x}:{tail:x}",
        f"64:ff9b:1::{head:x}:{tail:x}",
        f"64:ff9b:1:{a:02x}{b:02x}:{c:x}:{d:02x}00::",
        f"64:ff9b:1:ff{a:02x}:{b:x}:{c:02x}{d:02x}::",
        f"64:ff9b:1:ffff:{a:x}:{b:02x}{c:02x}:{d:02x}00:0",
        f"2001:0:{head:x}:{tail:x}:0:0:f7f7:f7f7",
        f"2001:0:808:808:0:0:{inverted >> 16:x}:{inverted & 0xFFFF:x}",
        f"2a00::5efe:{head:x}:{tail:x}",
        f"2a00::200:5efe:{head:x}:{tail:x}",
    ]


@pytest.mark.parametrize("host", INTERNAL_V4 + INTERNAL_V6)
def test_internal_addresses_are_denied(host: str) -> None:
    assert not PeerPolicy().allows(host)


@pytest.mark.parametrize("text", INTERNAL_V4)
def test_and_so_they_are_inside_ipv6(text: str) -> None:
    policy = PeerPolicy()
    assert [host for host in embedded(text) if policy.allows(host)] == []


@pytest.mark.parametrize("text", INTERNAL_V4)
def test_even_where_the_form_itself_is_open(text: str) -> None:
    """What is opened is the wrapping, and not what is in it."""
    opened = ("::ffff:0:0:0/96", "64:ff9b:1::/48", "2001::/32", "2002::/16")
    policy = PeerPolicy(allow=[parse_network(text) for text in opened])
    assert [host for host in embedded(text) if policy.allows(host)] == []


@pytest.mark.parametrize("host", PUBLIC)
def test_the_public_internet_is_open(host: str) -> None:
    assert PeerPolicy().allows(host)


def test_a_mapped_address_is_refused_whatever_is_in_it() -> None:
    policy = PeerPolicy(allow=[parse_network("127.0.0.0/8")])
    assert policy.allows("127.0.0.1")
    assert not policy.allows("::ffff:127.0.0.1")
    assert not policy.allows("::ffff:8.8.8.8")


@pytest.mark.parametrize("host", ["", "localhost", "127.1", "0x7f.1", "fe80::1%eth0", "1.2.3.4.5", "\0"])
def test_what_is_no_address_is_denied(host: str) -> None:
    assert not PeerPolicy(allow=[parse_network("0.0.0.0/0")]).allows(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "255.255.255.255", "224.0.0.1", "239.1.2.3", "::", "fe80::1", "ff02::1"]
)
def test_what_is_no_one_machine_cannot_be_opened(host: str) -> None:
    """The engine sends nothing there; a permission would be an empty promise."""
    policy = PeerPolicy(allow=[parse_network("0.0.0.0/0"), parse_network("::/0")])
    assert not policy.allows(host)
    assert policy.allows("10.0.0.1")
    assert policy.allows("fd00::1")


def test_deny_wins_over_allow_and_allow_over_the_defaults() -> None:
    policy = PeerPolicy(
        allow=[parse_network("10.0.0.0/8"), parse_network("::1")],
        deny=[parse_network("10.1.0.0/16"), parse_network("8.8.0.0/15")],
    )
    assert policy.allows("10.2.0.1")
    assert policy.allows("::1")
    assert not policy.allows("10.1.0.1")
    assert not policy.allows("8.9.9.9")
    assert not policy.allows("192.168.0.1")


@given(st.integers(0, 2**128 - 1), st.integers(1, 128))
def test_a_range_is_compared_as_a_number(number: int, prefix: int) -> None:
    """Wherever its border is: a box of bytes would let through what is beside its corners."""
    network = ipaddress.IPv6Network((number, prefix), strict=False)
    policy = PeerPolicy(deny=[network])
    first, last = int(network[0]), int(network[-1])
    for inside in (first, last, (first + last) // 2):
        assert not policy.allows(str(ipaddress.IPv6Address(inside)))


@pytest.mark.parametrize("network", DENIED)
def test_both_ends_of_each_range(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> None:
    policy = PeerPolicy()
    assert not policy.allows(str(network[0]))
    assert not policy.allows(str(network[-1]))


def test_our_own_relay_addresses_are_open_for_relayed_addresses_only() -> None:
    """S-48, and what else listens there is ours."""
    policy = PeerPolicy(relays=["127.0.0.1", "8.8.8.8"])
    for host in ("127.0.0.1", "8.8.8.8"):
        assert not policy.allows(host)
        assert policy.allows_relayed(host)
    assert not policy.allows_relayed("127.0.0.2")
    assert not policy.allows_relayed("::ffff:127.0.0.1")
    assert not PeerPolicy(relays=["8.8.8.8"], deny=[parse_network("8.8.8.8")]).allows_relayed("8.8.8.8")
    opened = PeerPolicy(relays=["127.0.0.1"], allow=[parse_network("127.0.0.0/8")])
    assert opened.allows("127.0.0.1")
    assert not opened.allows_relayed("127.0.0.1")


def test_an_address_that_comes_later_is_ours_too() -> None:
    policy = PeerPolicy()
    assert policy.allows("8.8.8.8")
    policy.add_relay("8.8.8.8")
    assert not policy.allows("8.8.8.8")
    assert policy.allows_relayed("8.8.8.8")


def test_forms() -> None:
    assert [str(one) for one in forms("2002:7f00:1::")] == ["2002:7f00:1::", "127.0.0.1"]
    assert canonical("::FFFF:1.2.3.4") == "1.2.3.4"
    assert canonical("2001:DB8:0:0::1") == "2001:db8::1"


def test_its_memory_is_bounded() -> None:
    policy = PeerPolicy()
    for number in range(20_000):
        policy.allows(str(ipaddress.IPv4Address(0x08080000 + number)))
    assert len(policy._seen) <= 4096
