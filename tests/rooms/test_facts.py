"""What a request says of who sent it, and whom that is believed of (S-36)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from headgate.core.config.rooms_conf import RoomsConf
from headgate.rooms.facts import Facts
from tests.rooms.conftest import Open, Wing

PROXIES = ["10.0.0.0/8", "127.0.0.1", "fd00::/8"]


def facts(headers: Mapping[str, str], *, peer: str = "192.0.2.7", trusted: list[str] = PROXIES) -> Facts:
    scope = {
        "type": "http",
        "scheme": "http",
        "client": (peer, 5000),
        "server": ("192.0.2.1", 8080),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
    }
    return Facts.of(scope, RoomsConf.model_validate({"trustedProxies": trusted}))


FORWARDED = {
    "x-forwarded-for": "198.51.100.1",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "evil.example",
    "forwarded": "for=198.51.100.2;proto=https",
    "x-real-ip": "198.51.100.3",
    "host": "here.example",
}


def test_a_stranger_is_not_believed() -> None:
    found = facts(FORWARDED)
    assert (found.client, found.scheme, found.host, found.from_proxy) == (
        "192.0.2.7",
        "http",
        "here.example",
        False,
    )


def test_a_proxy_is() -> None:
    found = facts(FORWARDED, peer="10.1.2.3")
    assert (found.client, found.scheme, found.host) == ("198.51.100.1", "https", "evil.example")


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        ("198.51.100.1, 10.0.0.9", "198.51.100.1"),
        ("203.0.113.9, 198.51.100.1, 10.0.0.9", "198.51.100.1"),
        ("203.0.113.9, nonsense", "unknown"),
        ("10.0.0.8, 10.0.0.9", "10.0.0.8"),
        ("", "unknown"),
        ("1.2.3.4<script>", "unknown"),
        ("198.51.100.1:4711", "198.51.100.1"),
        ("[2001:db8::1]:4711, [fd00::9]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("fe80::1%' closed: kicked", "fe80::1"),
    ],
)
def test_only_what_trusted_proxies_have_added_counts(chain: str, client: str) -> None:
    assert facts({"x-forwarded-for": chain}, peer="10.1.2.3").client == client


@pytest.mark.parametrize("several", [", 10.0.0.9", ",", " , evil.example"])
def test_of_what_several_proxies_have_added_the_first_is_the_clients(several: str) -> None:
    told = {"x-forwarded-proto": "HTTPS, http", "x-forwarded-host": "meet.example" + several}
    found = facts({**told, "origin": "https://meet.example"}, peer="10.1.2.3")
    assert (found.scheme, found.host) == ("https", "meet.example")
    assert found.may_connect(())


@pytest.mark.parametrize(
    ("host", "origin", "ours"),
    [
        ("meet.example", "http://meet.example", True),
        ("meet.example", "https://MEET.example", True),
        ("meet.example:443", "https://meet.example", True),
        ("meet.example", "https://meet.example:8443", False),
        ("meet.example", "https://meet.example.evil.example", False),
        ("meet.example", "https://evil.example#meet.example", False),
        ("meet.example", "https://meet.example@evil.example", False),
        ("meet.example", "null", False),
        ("meet.example", "", False),
        ("meet.example", "file://meet.example", False),
        ("", "http://", False),
        ("<script>", "http://<script>", False),
    ],
)
def test_whose_page_it_is(host: str, origin: str, ours: bool) -> None:  # noqa: FBT001
    assert facts({"host": host, "origin": origin}).may_connect(()) is ours


async def test_a_session_is_who_the_proxy_says(open_rooms: Open) -> None:
    headers = {"x-forwarded-for": "203.0.113.9, 198.51.100.1"}
    for trusted, host in ((["127.0.0.1"], "198.51.100.1"), ([], "127.0.0.1")):
        async with open_rooms(trusted_proxies=trusted) as wing:
            await wing.caller(additional_headers=headers)
            (session,) = wing.registry.sessions()
            assert session.remote.host == host


async def test_the_proxy_protocol_is_no_http(wing: Wing) -> None:
    host, port = wing.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"PROXY TCP4 198.51.100.1 192.0.2.1 1 2\r\nGET /ws HTTP/1.1\r\n\r\n")
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert wing.registry.sessions() == []
