from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from headgate.core.config.networks import ListenAddress, Networks, parse_network


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("127.0.0.1", "127.0.0.1/32"),
        ("10.1.2.3/8", "10.0.0.0/8"),
        ("::1", "::1/128"),
        ("2001:DB8::5/32", "2001:db8::/32"),
        ("::ffff:10.0.0.1", "10.0.0.1/32"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
    ],
)
def test_a_network_is_normalised(text: str, network: str) -> None:
    assert str(parse_network(text)) == network


@pytest.mark.parametrize(
    "text", ["", "localhost", "10.0.0.0/33", "10.0.0.0/255.0.0.0", "fe80::1%eth0", "1.2.3", "300.1.1.1"]
)
def test_what_is_no_network(text: str) -> None:
    with pytest.raises(ValueError, match="unable to parse IP/CIDR"):
        parse_network(text)


def test_lists_print_sorted() -> None:
    networks = TypeAdapter(Networks)
    value = networks.validate_python(["192.168.0.0/16", "10.0.0.1"])
    assert networks.dump_python(value, mode="json") == ["10.0.0.1/32", "192.168.0.0/16"]
    with pytest.raises(ValidationError):
        networks.validate_python([5])


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        (":8554", "::", 8554),
        ("127.0.0.1:0", "127.0.0.1", 0),
        ("[::1]:80", "::1", 80),
        ("[::]:80", "::", 80),
        ("localhost:9997", "127.0.0.1", 9997),
    ],
)
def test_where_a_listener_binds(text: str, host: str, port: int) -> None:
    assert ListenAddress.parse(text) == ListenAddress(host, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8554",
        ":",
        ":65536",
        ":-1",
        "::1:80",
        "[::1]",
        "example.org:80",
        "1.2.3:80",
        ":80 ",
        "[x]:1",
        ":٣",
    ],
)
def test_what_is_no_listen_address(text: str) -> None:
    with pytest.raises(ValueError, match="invalid address"):
        ListenAddress.parse(text)
