from __future__ import annotations

import json
import time

import httpx
import pytest
from pydantic import TypeAdapter

from headgate.api.documents import services as document
from headgate.api.long_list import PIECE
from headgate.core.service import Protocol
from headgate.core.session import CloseReason, Role
from tests.api.house import LONG_AGO, House


class TestSessions:
    async def test_a_listener_is_the_seeds_session(self, house: House, operator: httpx.AsyncClient) -> None:
        answer = await operator.get("/v1/sessions/1")

        resource = answer.json()["data"]
        attributes = resource["attributes"]
        assert list(answer.json()) == ["links", "data"]
        assert list(resource) == ["id", "type", "relationships", "attributes", "links"]
        assert answer.json()["links"] == {"self": "http://192.0.2.1:9997/v1/sessions/1"}
        assert (resource["id"], resource["type"]) == ("1", "sessions")
        assert resource["relationships"] == {
            "services": {
                "links": {"self": "http://192.0.2.1:9997/v1/services/"},
                "data": [{"id": "RTSP", "type": "services"}],
            }
        }
        assert list(attributes)[:2] == ["state", "connected"]
        assert attributes["state"] == "Listener Session"
        assert resource["links"] == {"self": "http://192.0.2.1:9997/v1/sessions/1"}
        TypeAdapter(document.SessionDocument).validate_json(json.dumps(answer.json()), strict=True)

    async def test_a_client(self, house: House, operator: httpx.AsyncClient) -> None:
        session = house.visit("live/cam", role=Role.READ)
        session.user = "ada"

        answer = (await operator.get(f"/v1/sessions/{session.id.number}")).json()

        attributes = answer["data"]["attributes"]
        assert attributes["state"] == "Session ready for routing"
        assert attributes["connected"] == time.asctime(session.created.astimezone().timetuple())
        assert (attributes["user"], attributes["remote"], attributes["port"]) == ("ada", "192.0.2.7", 50198)
        assert (attributes["role"], attributes["target"]) == ("read", "live/cam")
        assert (attributes["protocol"], attributes["transport"]) == ("rtsp", "TCP")
        assert attributes["uuid"] == str(session.id.uuid)
        assert attributes["code"] == session.id.code
        assert attributes["seconds_alive"] >= 0
        TypeAdapter(document.SessionDocument).validate_json(json.dumps(answer), strict=True)

    async def test_before_it_has_a_target(self, house: House, operator: httpx.AsyncClient) -> None:
        session = house.visit()

        attributes = (await operator.get(f"/v1/sessions/{session.id.number}")).json()["data"]["attributes"]

        assert attributes["state"] == "Session Allocated"
        assert "user" not in attributes

    async def test_the_collection_is_in_number_order(self, house: House, operator: httpx.AsyncClient) -> None:
        house.visit("live/cam")
        house.add_service("RTSPS", Protocol.RTSPS)
        house.visit("live/cam")

        answer = (await operator.get("/v1/sessions")).json()

        assert answer["links"] == {"self": "http://192.0.2.1:9997/v1/sessions/"}
        assert [resource["id"] for resource in answer["data"]] == ["1", "2", "3", "4"]
        states = [resource["attributes"]["state"] for resource in answer["data"]]
        assert states == ["Listener Session", "Session ready for routing"] * 2
        TypeAdapter(document.SessionCollection).validate_json(json.dumps(answer), strict=True)

    async def test_a_long_collection(self, house: House, operator: httpx.AsyncClient) -> None:
        """It is made in pieces, of which nothing is to be seen."""
        sessions = [house.visit("live/cam") for _ in range(3 * PIECE)]
        for query in ("", "?pretty=true"):
            data = (await operator.get(f"/v1/sessions{query}")).json()["data"]
            found = [int(one["id"]) for one in data]
            assert found == sorted(set(found))
            assert found[-len(sessions) :] == [session.id.number for session in sessions]
            assert len(found) > len(sessions), "there is a listener, too"

    @pytest.mark.parametrize("form", ["number", "uuid", "code"])
    async def test_a_kill_by_any_of_its_ids(
        self, house: House, operator: httpx.AsyncClient, form: str
    ) -> None:
        session, other = house.visit("live/cam"), house.visit("live/cam")

        answer = await operator.delete(f"/v1/sessions/{getattr(session.id, form)}")

        assert (answer.status_code, answer.content) == (204, b"")
        assert (session.ends, other.ends) == ([CloseReason.KICKED], [])
        assert (await operator.get(f"/v1/sessions/{session.id.number}")).status_code == 404
        assert (await operator.delete(f"/v1/sessions/{session.id.number}")).status_code == 404

    async def test_a_listener_cannot_be_killed(self, operator: httpx.AsyncClient) -> None:
        answer = await operator.delete("/v1/sessions/1")

        assert answer.status_code == 403
        assert answer.json() == {"errors": [{"detail": "a listener session ends with its service"}]}

    @pytest.mark.parametrize("id", ["99", "x", "0x1", "9" * 5000, "%00", "ABCDEFGHIJKLM"])
    async def test_an_unknown_one_has_no_body(self, operator: httpx.AsyncClient, id: str) -> None:
        for answer in (await operator.get(f"/v1/sessions/{id}"), await operator.delete(f"/v1/sessions/{id}")):
            assert (answer.status_code, answer.content) == (404, b"")


class TestServices:
    async def test_one(self, house: House, operator: httpx.AsyncClient) -> None:
        house.visit("live/cam")
        house.registry.close(house.visit("live/cam"), CloseReason.PEER)

        answer = (await operator.get("/v1/services/rtsp")).json()

        assert answer["data"] == {
            "id": "RTSP",
            "type": "services",
            "relationships": {},
            "attributes": {
                "router": "paths",
                "state": "Started",
                "started": time.asctime(LONG_AGO.astimezone().timetuple()),
                "total_connections": 2,
                "connections": 1,
                "statistics": {"connections": 1, "total_connections": 2},
                "protocol": "rtsp",
                "listeners": [
                    {
                        "id": "1",
                        "type": "listeners",
                        "attributes": {
                            "parameters": {
                                "address": "::",
                                "port": 8554,
                                "protocol": "rtsp",
                                "transport": "TCP",
                            }
                        },
                    }
                ],
            },
            "links": {"self": "http://192.0.2.1:9997/v1/services/RTSP"},
        }
        TypeAdapter(document.ServiceDocument).validate_json(json.dumps(answer), strict=True)

    async def test_the_collection(self, house: House, operator: httpx.AsyncClient) -> None:
        house.add_service("RTSPS", Protocol.RTSPS, port=8322)

        answer = (await operator.get("/v1/services")).json()

        assert answer["links"] == {"self": "http://192.0.2.1:9997/v1/services/"}
        assert [service["id"] for service in answer["data"]] == ["RTSP", "RTSPS"]
        TypeAdapter(document.ServiceCollection).validate_json(json.dumps(answer), strict=True)

    async def test_an_unknown_one(self, operator: httpx.AsyncClient) -> None:
        answer = await operator.get("/v1/services/nobody")

        assert (answer.status_code, answer.content) == (404, b"")


class TestRequests:
    @pytest.mark.parametrize(
        ("query", "indented"), [("", False), ("?pretty=true", True), ("?pretty=1", False), ("?pretty", False)]
    )
    async def test_pretty(self, operator: httpx.AsyncClient, query: str, indented: bool) -> None:  # noqa: FBT001
        answer = await operator.get(f"/v1/sessions{query}")

        assert answer.text.startswith('{\n    "links": {\n        "self"') is indented
        assert ("\n" in answer.text) is indented

    async def test_links_name_the_host_the_client_used(self, operator: httpx.AsyncClient) -> None:
        answer = await operator.get("/v1/services", headers={"host": "localhost:8989"})

        assert answer.json()["links"] == {"self": "http://localhost:8989/v1/services/"}

    @pytest.mark.parametrize(
        "route", ["/v1/sessions/", "/v1/sessions/1/", "/v1/services/", "/v1/services/RTSP//"]
    )
    async def test_a_trailing_slash_changes_nothing(self, operator: httpx.AsyncClient, route: str) -> None:
        with_slash, without = await operator.get(route), await operator.get(route.rstrip("/"))

        assert (with_slash.status_code, with_slash.content) == (200, without.content)

    @pytest.mark.parametrize("route", ["/v1", "/v1/"])
    async def test_ping(self, operator: httpx.AsyncClient, route: str) -> None:
        answer = await operator.get(route)

        assert (answer.status_code, answer.content) == (200, b"")

    async def test_other_methods(self, operator: httpx.AsyncClient) -> None:
        answer = await operator.patch("/v1/sessions/1")

        assert answer.status_code == 405
        assert answer.json() == {"errors": [{"detail": "method not allowed"}]}
