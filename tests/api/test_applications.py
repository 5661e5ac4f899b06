from __future__ import annotations

import json
import re
import time

import httpx
import pytest
from pydantic import TypeAdapter

from headgate.api.documents import applications as document
from headgate.api.long_list import PIECE
from headgate.core.events import Published, SessionClosed
from headgate.core.session import CloseReason, Role
from tests.api.house import House, Visitor
from tests.api.others import Others, be_busy

# Seed 004, key by key and in order.
CLIENT = ["id", "creation_time", "last_ping", "remote_address"]
STATISTICS = [
    "path",
    "bytes_out",
    "bytes_in",
    "messages_written",
    "messages_read",
    "messages_dropped",
    "messages_pending",
    "remote_port",
    "connection_protocol",
    "host",
    *CLIENT,
]
LIVE = "/api/v1/applications/live/clients"


@pytest.fixture
def clients(house: House) -> dict[str, Visitor]:
    """By where they are; one is in an application whose name begins like the other's."""
    places = ("live", "live/room", "live/room/sub", "live/rooms", "lively/room")
    return {place: house.visit(place, role=Role.PUBLISH) for place in places}


async def ids(operator: httpx.AsyncClient, url: str) -> list[str]:
    answer = await operator.get(url)
    assert answer.status_code == 200, answer.text
    return [client["id"] for client in answer.json()["data"]]


async def test_of_many_clients_nobody_waits_for_the_end(house: House, operator: httpx.AsyncClient) -> None:
    clients = [house.visit("live", role=Role.READ) for _ in range(4 * PIECE)]
    turns = []

    def hear(published: Published) -> None:
        if published.id % PIECE == 0:
            turns.append(others.turns)
            be_busy()

    house.bus.listen(hear, SessionClosed)
    async with Others.beside() as others:
        assert (await operator.delete(LIVE)).status_code == 200
    assert len(set(turns)) == len(clients) // PIECE


class TestList:
    async def test_an_application_holds_its_scopes(
        self, clients: dict[str, Visitor], operator: httpx.AsyncClient
    ) -> None:
        answer = await operator.get(LIVE)

        body = answer.json()
        assert list(body) == ["status", "code", "data", "timestamp"]
        assert (body["status"], body["code"]) == ("success", 200)
        assert abs(body["timestamp"] - time.time() * 1000) < 60_000
        expected = [clients[place].id.code for place in ("live", "live/room", "live/room/sub", "live/rooms")]
        assert [client["id"] for client in body["data"]] == expected
        TypeAdapter(document.ClientsAnswer).validate_json(json.dumps(body), strict=True)

    async def test_a_client(self, clients: dict[str, Visitor], operator: httpx.AsyncClient) -> None:
        client = (await operator.get(LIVE)).json()["data"][0]

        assert list(client) == CLIENT
        assert re.fullmatch("[A-Z0-9]{13}", client["id"])
        assert client["creation_time"] == int(clients["live"].created.timestamp() * 1000)
        assert client["last_ping"] == -1
        assert client["remote_address"] == "192.0.2.7"

    @pytest.mark.parametrize("scope", ["room", "/room", "room/"])
    async def test_a_scope_is_a_subtree(
        self, clients: dict[str, Visitor], operator: httpx.AsyncClient, scope: str
    ) -> None:
        expected = [clients[place].id.code for place in ("live/room", "live/room/sub")]

        assert await ids(operator, f"{LIVE}?scope={scope}") == expected

    async def test_of_nobody(self, house: House, operator: httpx.AsyncClient) -> None:
        house.add_path("live/cam")

        assert await ids(operator, LIVE) == []
        assert await ids(operator, f"{LIVE}?scope=cam") == []

    async def test_a_configured_path_is_known_while_nobody_is_there(
        self, house: House, operator: httpx.AsyncClient
    ) -> None:
        house.configure(paths=["live/cam"])

        assert await ids(operator, LIVE) == []

    async def test_a_session_without_a_target_is_in_no_application(
        self, house: House, operator: httpx.AsyncClient
    ) -> None:
        house.add_path("live")
        house.visit()

        assert await ids(operator, LIVE) == []

    @pytest.mark.parametrize("name", ["nobody", "all_others", "~^live", "li"])
    async def test_an_unknown_application(self, house: House, operator: httpx.AsyncClient, name: str) -> None:
        house.configure(paths=["all_others", "~^live"])
        house.visit("live/cam")

        answer = await operator.get(f"/api/v1/applications/{name}/clients")

        assert answer.status_code == 404
        assert list(answer.json()) == ["status", "code", "message", "timestamp"]
        assert (answer.json()["status"], answer.json()["code"]) == ("error", 404)
        TypeAdapter(document.Failure).validate_json(json.dumps(answer.json()), strict=True)

    async def test_an_unknown_scope(self, clients: dict[str, Visitor], operator: httpx.AsyncClient) -> None:
        assert (await operator.get(f"{LIVE}?scope=roo")).status_code == 404


class TestStatistics:
    async def test_one(self, clients: dict[str, Visitor], operator: httpx.AsyncClient) -> None:
        session = clients["live/room"]

        body = (await operator.get(f"{LIVE}/{session.id.code}")).json()

        statistics = body["data"]
        assert list(statistics) == STATISTICS
        assert statistics["path"] == "live/room"
        assert (statistics["remote_address"], statistics["remote_port"]) == ("192.0.2.7", 50198)
        assert (statistics["connection_protocol"], statistics["host"]) == ("rtsp", "192.0.2.1")
        assert statistics["id"] == session.id.code
        TypeAdapter(document.ClientStatisticsAnswer).validate_json(json.dumps(body), strict=True)

    @pytest.mark.parametrize(
        "call", ["live/clients/{room}?scope=rooms", "lively/clients/{room}", "live/clients/AAAAAAAAAAAAA"]
    )
    async def test_a_client_that_is_elsewhere(
        self, clients: dict[str, Visitor], operator: httpx.AsyncClient, call: str
    ) -> None:
        url = "/api/v1/applications/" + call.format(room=clients["live/room"].id.code)

        for answer in (await operator.get(url), await operator.delete(url)):
            assert answer.status_code == 404
            assert answer.json()["message"] == "session not found"
        assert clients["live/room"].ends == []


class TestTermination:
    async def test_one(self, clients: dict[str, Visitor], operator: httpx.AsyncClient) -> None:
        session = clients["live/room"]
        before = (await operator.get(f"{LIVE}?scope=room")).json()["data"][0]

        answer = await operator.delete(f"{LIVE}/{session.id.code}?scope=room")

        assert (answer.status_code, answer.json()["data"]) == (200, before)
        assert session.ends == [CloseReason.KICKED]
        assert (await operator.get(f"{LIVE}/{session.id.code}")).status_code == 404
        assert [place for place, client in clients.items() if client.ends] == ["live/room"]
        TypeAdapter(document.ClientAnswer).validate_json(json.dumps(answer.json()), strict=True)

    async def test_a_scope(self, clients: dict[str, Visitor], operator: httpx.AsyncClient) -> None:
        answer = await operator.delete(f"{LIVE}?scope=room")

        assert (answer.status_code, answer.json()["data"]) == (200, {})
        assert [place for place, client in clients.items() if client.ends] == ["live/room", "live/room/sub"]
        TypeAdapter(document.EmptyAnswer).validate_json(json.dumps(answer.json()), strict=True)

    async def test_nobody(self, house: House, operator: httpx.AsyncClient) -> None:
        house.add_path("live/cam")

        answer = await operator.delete(LIVE)

        assert (answer.status_code, answer.json()["data"]) == (200, {})

    async def test_an_unknown_application(self, operator: httpx.AsyncClient) -> None:
        assert (await operator.delete(LIVE)).status_code == 404


class TestAdmission:
    @pytest.mark.parametrize(
        ("query", "headers"),
        [
            ("?accessToken=xyz123", {}),
            ("", {"authorization": "Bearer xyz123"}),
            ("", {"authorization": "bearer  xyz123"}),
            ("?accessToken=wrong", {"authorization": "Bearer xyz123"}),
        ],
    )
    async def test_the_token(
        self, house: House, operator: httpx.AsyncClient, query: str, headers: dict[str, str]
    ) -> None:
        house.configure(access_token="xyz123", paths=["live"])

        assert (await operator.get(LIVE + query, headers=headers)).status_code == 200

    @pytest.mark.parametrize(
        ("query", "headers"),
        [
            ("", {}),
            ("?accessToken=", {}),
            ("?accessToken=xyz12", {}),
            ("?accessToken=%ff", {}),
            ("", {"authorization": "Basic xyz123"}),
            ("", {"authorization": "Bearer"}),
        ],
    )
    @pytest.mark.parametrize("application", ["live", "nobody"])
    async def test_without_it_names_stay_hidden(
        self, house: House, operator: httpx.AsyncClient, query: str, headers: dict[str, str], application: str
    ) -> None:
        house.configure(access_token="xyz123", paths=["live"])
        session = house.visit("live")

        for method, place in (("GET", ""), ("DELETE", ""), ("GET", f"/{session.id.code}"), ("DELETE", "/X")):
            url = f"/api/v1/applications/{application}/clients{place}{query}"
            answer = await operator.request(method, url, headers=headers)
            assert answer.status_code == 401
            assert answer.json()["code"] == 401
            assert answer.headers["www-authenticate"].startswith("Bearer")
        assert session.ends == []
