"""The dialect of seed 000, over a relay that has what each test puts into it."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from headgate.api.documents import relay as document
from headgate.core.relay import RelayChannel, RelayPeer
from headgate.core.service import Endpoint
from headgate.core.session import CloseReason
from tests.api.house import House
from tests.api.relay import OUTSIDE, StandIn

BOB = Endpoint("192.0.2.7", 50_198)
BOTH = {"address": str(BOB), "interface": str(OUTSIDE)}
# Seed 000, key by key and in order.
SESSION = ["address", "username", "channels", "port", "expires", "permissions"]
STATISTICS = ["received_bytes", "send_bytes", "received_pkts", "send_pkts"]
INFO = ["software", "uptime", "port_allocated", "port_capacity", "interfaces"]
ROUTES = [("GET", "/session"), ("DELETE", "/session"), ("GET", "/session/statistics")]


@pytest.fixture
def relay(house: House) -> StandIn:
    return StandIn(house)


class TestInfo:
    async def test_the_seeds_document(self, relay: StandIn, operator: httpx.AsyncClient) -> None:
        relay.ports_taken = 3
        answer = await operator.get("/info")
        body = answer.json()
        assert list(body) == INFO
        assert body["software"] == "headgate.1.2.3"
        assert body["uptime"] > 0
        assert (body["port_allocated"], body["port_capacity"]) == (3, 16_384)
        assert body["interfaces"] == [
            {"transport": 0, "bind": "0.0.0.0:3478", "external": "203.0.113.9:3478", "scheme": "udp"},
            {"transport": 1, "bind": "0.0.0.0:3478", "external": "203.0.113.9:3478", "scheme": "tls"},
        ]
        TypeAdapter(document.Info).validate_json(answer.text, strict=True)

    async def test_counts_stay_the_seeds_16_bits(self, relay: StandIn, operator: httpx.AsyncClient) -> None:
        relay.ports_taken, relay.ports_capacity = 100_000, 129_024
        body = (await operator.get("/info")).json()
        assert (body["port_allocated"], body["port_capacity"]) == (65_535, 65_535)

    async def test_realm_and_nonce(self, relay: StandIn, operator: httpx.AsyncClient) -> None:
        relay.realm = "r\u00e9alm \u3042"
        first, second = await operator.get("/info"), await operator.get("/session?address=x")
        assert second.status_code == 400
        assert re.fullmatch(r"[a-z0-9]{16}", first.headers["nonce"])
        assert first.headers["nonce"] == second.headers["nonce"]
        for answer in (first, second):
            assert dict(answer.headers.raw)[b"realm"].decode() == relay.realm

    async def test_without_a_relay(self, operator: httpx.AsyncClient) -> None:
        for method, route in [("GET", "/info"), *ROUTES, ("GET", "/relay/users")]:
            answer = await operator.request(method, route)
            assert (answer.status_code, answer.content) == (404, b""), route


class TestSession:
    async def test_the_seeds_document(self, relay: StandIn, operator: httpx.AsyncClient) -> None:
        peer = Endpoint("198.51.100.4", 5000)
        session = relay.admit(
            BOB,
            name="1700000000:bob",
            permissions=[RelayPeer(peer, 299.5), RelayPeer(Endpoint("198.51.100.4", 0), 299.5)],
            channels=[RelayChannel(0x4000, Endpoint("198.51.100.5", 5001), 12.0)],
        )
        answer = await operator.get("/session", params=BOTH)
        (body,) = answer.json()
        assert list(body)[:6] == SESSION
        assert (body["address"], body["username"], body["user"]) == (str(BOB), "1700000000:bob", "bob")
        assert (body["channels"], body["permissions"]) == ([0x4000], [5000, 0, 5001])
        assert (body["port"], body["relayed"]) == (50_000, ["203.0.113.9:50000"])
        assert body["expires"] == 599
        assert abs(body["expires_at"] - time.time() - 599) < 5
        assert (body["interface"], body["transport"], body["scheme"]) == (str(OUTSIDE), 0, "udp")
        assert body["peers"][0] == {"peer": "198.51.100.4:5000", "expires": 299}
        assert body["bindings"] == [{"channel": 0x4000, "peer": "198.51.100.5:5001", "expires": 12}]
        assert body["id"] == str(session.id.number)
        TypeAdapter(list[document.RelaySession]).validate_json(answer.text, strict=True)

    async def test_parameters_are_filters(self, relay: StandIn, operator: httpx.AsyncClient) -> None:
        for port in range(3):
            relay.admit(Endpoint("192.0.2.7", 50_198 + port))

        async def found(**filters: Any) -> list[str]:
            answer = await operator.get("/session", params=filters)
            assert answer.status_code == 200
            return [session["address"] for session in answer.json()]

        assert len(await found()) == 3
        assert await found(address="192.0.2.7:50199") == ["192.0.2.7:50199"]
        assert await found(address="192.0.2.7:1") == []
        assert await found(interface="198.51.100.1:3478") == []
        assert len(await found(interface="0.0.0.0:3478")) == 3
        assert await found(transport=1) == []

    async def test_it_is_paged(self, relay: StandIn, operator: httpx.AsyncClient) -> None:
        for port in range(1, 251):
            relay.admit(Endpoint("192.0.2.7", port))
        first = await operator.get("/session")
        last = await operator.get("/session", params={"page": 2})
        assert (len(first.json()), first.headers["x-total-count"]) == (100, "250")
        assert last.json()[0]["address"] == "192.0.2.7:201"
        assert len(last.json()) == 50
        for query in ("itemsPerPage=0", "itemsPerPage=ten", "page=-1", "page=99999999999"):
            answer = await operator.get(f"/session?{query}")
            assert answer.status_code == 400
            assert answer.text == "page is a number from 0 on, itemsPerPage one from 1 on"

    async def test_ipv4_inside_ipv6_is_ipv4(self, relay: StandIn, operator: httpx.AsyncClient) -> None:
        relay.admit(BOB)
        answer = await operator.get("/session", params={"address": "[::ffff:192.0.2.7]:50198"})
        assert len(answer.json()) == 1

    async def test_one_that_ends_while_it_is_looked_for(
        self, relay: StandIn, operator: httpx.AsyncClient
    ) -> None:
        relay.admit(BOB)
        relay.detail = lambda _: None  # type: ignore[method-assign,assignment]
        assert (await operator.get("/session")).json() == []
        assert (await operator.get("/session/statistics", params=BOTH)).status_code == 404

    async def test_hostile_names_stay_text(self, relay: StandIn, operator: httpx.AsyncClient) -> None:
        name = '%s%n $(id) "; drop-- \r\nX: y </script> \u202e\u3042'
        relay.admit(BOB, name=name, user=name)
        answer = await operator.get("/session", params=BOTH)
        assert json.loads(answer.text)[0]["username"] == name
        assert "x" not in answer.headers


class TestStatistics:
    async def test_the_seeds_document(self, relay: StandIn, operator: httpx.AsyncClient) -> None:
        relay.admit(BOB)
        answer = await operator.get("/session/statistics", params=BOTH)
        assert list(answer.json())[:4] == STATISTICS
        assert answer.json()["error_pkts"] == 1
        TypeAdapter(document.Statistics).validate_json(answer.text, strict=True)


class TestDelete:
    async def test_one(self, relay: StandIn, operator: httpx.AsyncClient) -> None:
        session, other = relay.admit(BOB), relay.admit(Endpoint("192.0.2.8", 1))
        answer = await operator.delete("/session", params=BOTH)
        assert (answer.status_code, answer.content) == (200, b"")
        assert (session.ends, other.ends) == ([CloseReason.KICKED], [])
        again = await operator.delete("/session", params=BOTH)
        assert (again.status_code, again.content) == (404, b"")
        assert (await operator.get("/session", params=BOTH)).status_code == 404

    async def test_never_more_than_one(self, relay: StandIn, operator: httpx.AsyncClient) -> None:
        over_udp, over_tls = relay.admit(BOB), relay.admit(BOB, transport="TLS")
        for method, route in ROUTES:
            answer = await operator.request(method, route, params=BOTH)
            assert answer.status_code == 409
            assert "transport=0" in answer.text
            assert answer.headers["content-type"].startswith("text/plain")
        assert (over_udp.ends, over_tls.ends) == ([], [])
        assert (await operator.delete("/session", params={**BOTH, "transport": 1})).status_code == 200
        assert (over_udp.ends, over_tls.ends) == ([], [CloseReason.KICKED])
        assert len((await operator.get("/session", params={"address": str(BOB)})).json()) == 1

    @pytest.mark.parametrize("given", [{}, {"address": str(BOB)}, {"interface": str(OUTSIDE)}])
    async def test_both_are_needed(
        self, relay: StandIn, operator: httpx.AsyncClient, given: dict[str, str]
    ) -> None:
        session = relay.admit(BOB)
        for answer in (
            await operator.delete("/session", params=given),
            await operator.get("/session/statistics", params=given),
        ):
            assert answer.status_code == 400
            assert answer.text in {"address is missing", "interface is missing"}
        assert session.ends == []


@pytest.mark.parametrize(
    "address",
    [
        *("", "x", "192.0.2.7", "192.0.2.7:", "192.0.2.7:65536", "999.1.1.1:1", "::1:1", "[::1]"),
        *("[::1%eth0]:1", "[:::]:1", "localhost:1", "1.2.3.4:\u0661", "1.2.3.4:1\n", "1" * 10_000),
    ],
)
async def test_what_is_no_address(relay: StandIn, operator: httpx.AsyncClient, address: str) -> None:
    for name in ("address", "interface"):
        answer = await operator.get("/session", params={name: address})
        assert answer.status_code == 400
        assert answer.text.startswith(name)


async def test_what_is_no_transport(relay: StandIn, operator: httpx.AsyncClient) -> None:
    assert (await operator.get("/session?transport=2")).text == "transport is 0 (UDP) or 1 (TCP)"


async def test_other_methods_and_paths(relay: StandIn, operator: httpx.AsyncClient) -> None:
    wrong = await operator.post("/session")
    assert (wrong.status_code, wrong.content) == (405, b"")
    for path, methods in {
        "/session": "DELETE, GET, HEAD",
        "/relay/drain": "DELETE, GET, HEAD, POST",
        "/info": "GET, HEAD",
    }.items():
        answer = await operator.put(path)
        assert (answer.status_code, answer.headers["allow"]) == (405, methods)  # RFC 9110 15.5.6
    assert (await operator.get("/session/nothing")).status_code == 404
    assert (await operator.head("/info")).status_code == 200


async def test_no_page_of_another_site_ends_a_session(relay: StandIn, operator: httpx.AsyncClient) -> None:
    session = relay.admit(BOB)
    for headers in ({"origin": "http://evil.example"}, {"host": "rebound.example"}):
        answer = await operator.delete("/session", params=BOTH, headers=headers)
        assert answer.status_code == 403
        assert answer.headers["content-type"].startswith("text/plain")
    assert session.ends == []
