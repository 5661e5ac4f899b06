from __future__ import annotations

import logging
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from headgate.api.documents import relay as document
from headgate.api.long_list import PIECE
from headgate.core.errors import Refused
from headgate.core.events import Published, SessionClosed
from headgate.core.service import Endpoint
from headgate.core.session import CloseReason
from tests.api.house import House
from tests.api.others import Others, be_busy
from tests.api.relay import StandIn


@pytest.fixture
def relay(house: House) -> StandIn:
    return StandIn(house)


class TestSessions:
    async def test_filters_and_pages(self, relay: StandIn, operator: httpx.AsyncClient) -> None:
        relay.admit(Endpoint("192.0.2.7", 1), user="bob")
        relay.admit(Endpoint("192.0.2.7", 2), user="alice", transport="TLS")
        relay.admit(Endpoint("2001:db8::7", 3), user="alice")

        async def found(**filters: Any) -> list[str]:
            answer = await operator.get("/relay/sessions", params=filters)
            assert answer.status_code == 200, answer.text
            TypeAdapter(document.RelaySessions).validate_json(answer.text, strict=True)
            return [session["address"] for session in answer.json()["items"]]

        assert len(await found()) == 3
        assert await found(user="alice") == ["192.0.2.7:2", "[2001:db8::7]:3"]
        assert await found(address="192.0.2.7") == ["192.0.2.7:1", "192.0.2.7:2"]
        assert await found(address="[::ffff:192.0.2.7]:2") == ["192.0.2.7:2"]
        assert await found(address="2001:db8:0::7") == ["[2001:db8::7]:3"]
        assert await found(transport="tls") == ["192.0.2.7:2"]
        assert await found(user="alice", transport="udp") == ["[2001:db8::7]:3"]
        assert await found(user="nobody") == []
        assert await found(itemsPerPage=2, page=1) == ["[2001:db8::7]:3"]

    @pytest.mark.parametrize("query", ["transport=sctp", "transport=UDP", "address=x", "page=-1"])
    async def test_what_cannot_be_understood(
        self, relay: StandIn, operator: httpx.AsyncClient, query: str
    ) -> None:
        answer = await operator.get(f"/relay/sessions?{query}")
        assert answer.status_code == 400
        assert answer.headers["content-type"].startswith("text/plain")
        assert "strconv" not in answer.text  # that is how `/v3` talks

    async def test_a_user_is_shut_out_of_every_session(
        self, relay: StandIn, operator: httpx.AsyncClient
    ) -> None:
        bobs = [relay.admit(Endpoint("192.0.2.7", port), user="bob/../ %") for port in (1, 2)]
        alices = relay.admit(Endpoint("192.0.2.8", 1), user="alice")
        answer = await operator.delete("/relay/sessions", params={"user": "bob/../ %"})
        assert (answer.status_code, answer.json()) == (200, {"sessions": 2})
        assert [bob.ends for bob in bobs] == [[CloseReason.KICKED]] * 2
        assert alices.ends == []

    async def test_of_many_sessions_nobody_waits_for_the_end(
        self, house: House, relay: StandIn, operator: httpx.AsyncClient
    ) -> None:
        sessions = [relay.admit(Endpoint("192.0.2.7", port)) for port in range(4 * PIECE)]
        slow = {session.id for session in sessions[::PIECE]}
        turns = []

        def hear(published: Published) -> None:
            if isinstance(published.event, SessionClosed) and published.event.session in slow:
                turns.append(others.turns)
                be_busy()

        house.bus.listen(hear, SessionClosed)
        async with Others.beside() as others:
            answer = await operator.delete("/relay/sessions?user=bob")
        assert answer.json() == {"sessions": len(sessions)}
        assert len(set(turns)) == 4

    async def test_never_everybody_by_mistake(self, relay: StandIn, operator: httpx.AsyncClient) -> None:
        session = relay.admit(Endpoint("192.0.2.7", 1))
        assert (await operator.delete("/relay/sessions")).status_code == 400
        assert (await operator.delete("/relay/sessions?user=")).json() == {"sessions": 0}
        assert session.ends == []


async def test_users_with_what_they_use_and_may(relay: StandIn, operator: httpx.AsyncClient) -> None:
    for port, user in enumerate(("bob", "alice", "bob")):
        relay.admit(Endpoint("192.0.2.7", port), user=user)
    answer = await operator.get("/relay/users")
    TypeAdapter(document.RelayUsers).validate_json(answer.text, strict=True)
    assert [(one["user"], one["sessions"], one["limit"]) for one in answer.json()["items"]] == [
        ("alice", 1, 100),
        ("bob", 2, 100),
    ]
    one = (await operator.get("/relay/users", params={"user": "bob"})).json()
    assert (one["itemCount"], one["items"][0]["sessions"]) == (1, 2)
    assert (await operator.get("/relay/users", params={"user": "eve"})).json()["items"] == []
    assert (await operator.get("/relay/users", params={"page": 1, "itemsPerPage": 1})).json()["items"][0][
        "user"
    ] == "bob"


class TestDrain:
    async def test_its_progress(self, relay: StandIn, operator: httpx.AsyncClient) -> None:
        sessions = [relay.admit(Endpoint("192.0.2.7", port)) for port in (1, 2)]
        assert (await operator.get("/relay/drain")).json() == {
            "draining": False,
            "since": None,
            "sessions_then": None,
            "sessions": 2,
            "longest": 599,
        }
        started = await operator.post("/relay/drain")
        TypeAdapter(document.Drain).validate_json(started.text, strict=True)
        assert (started.json()["draining"], started.json()["longest"]) == (True, 599)
        relay.house.registry.close(sessions[0], CloseReason.GOODBYE)
        again = (await operator.post("/relay/drain")).json()
        assert (again["sessions_then"], again["sessions"]) == (2, 1)
        assert again["since"] == started.json()["since"]
        assert (await operator.delete("/relay/drain")).json()["draining"] is False

    async def test_a_server_that_stops_is_not_held_up(
        self, relay: StandIn, operator: httpx.AsyncClient
    ) -> None:
        relay.house.registry.drain()
        answer = await operator.delete("/relay/drain")
        assert (answer.status_code, answer.text) == (409, "the server is stopping")


class TestCredentials:
    async def test_one_is_shown_once(
        self, relay: StandIn, operator: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        answer = await operator.post("/relay/credentials", json={"user": "bob", "ttl": 60})
        body = answer.json()
        TypeAdapter(document.Credential).validate_json(answer.text, strict=True)
        assert (body["username"], body["password"], body["ttl"]) == ("1:bob", "canary-1f", 60)
        assert body["uris"] == ["turn:a:1?transport=udp"]
        assert answer.headers["cache-control"] == "no-store"
        assert "canary" not in caplog.text
        assert "canary" not in repr(relay.mint(user="bob", ttl=60))

    async def test_an_hour_unless_said_otherwise(self, relay: StandIn, operator: httpx.AsyncClient) -> None:
        assert (await operator.post("/relay/credentials", content="{}")).json()["ttl"] == 3600

    @pytest.mark.parametrize(
        "body",
        [
            *("", "[]", "{", '{"ttl": 0}', '{"ttl": -1}', '{"ttl": 604801}', '{"ttl": 1e3}', '{"ttl": true}'),
            *('{"ttl": "60"}', '{"user": 1}', '{"name": "x"}', '{"user": "\\ud800"}'),
            *('{"user": "a\\u0000"}', '{"ttl": ' + "9" * 5000 + "}"),
        ],
    )
    async def test_what_cannot_be_made(self, relay: StandIn, operator: httpx.AsyncClient, body: str) -> None:
        answer = await operator.post("/relay/credentials", content=body)
        assert answer.status_code == 400
        assert answer.headers["content-type"].startswith("text/plain")

    @pytest.mark.parametrize("body", ["", "[]", "{"])
    async def test_who_sends_no_object_is_told_of_one(
        self, relay: StandIn, operator: httpx.AsyncClient, body: str
    ) -> None:
        answer = await operator.post("/relay/credentials", content=body)
        assert answer.text.startswith('the body is JSON like {"user": "ann", "ttl": 3600}: ')

    async def test_a_name_that_is_none_and_no_secret(
        self, relay: StandIn, operator: httpx.AsyncClient
    ) -> None:
        relay.fault = ValueError("no name")
        answer = await operator.post("/relay/credentials", json={})
        assert (answer.status_code, answer.text) == (400, "no name")
        relay.fault = Refused("there is no shared secret")
        answer = await operator.post("/relay/credentials", json={})
        assert (answer.status_code, answer.text) == (409, "there is no shared secret")

    async def test_no_page_of_another_site_gets_one(
        self, relay: StandIn, operator: httpx.AsyncClient
    ) -> None:
        headers = {"origin": "http://evil.example"}
        assert (await operator.post("/relay/credentials", json={}, headers=headers)).status_code == 403
