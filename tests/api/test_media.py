from __future__ import annotations

import json
from datetime import datetime
from uuid import uuid4

import httpx
import pytest
from pydantic import TypeAdapter

from headgate.api.documents import media as document
from headgate.core.config import GlobalConf, PathConf
from headgate.core.service import Endpoint, Protocol
from headgate.core.session import CloseReason, Role
from headgate.core.tunnel import Tunnel
from headgate.engine import Codec, OpenStream, Track
from tests.api.house import LONG_AGO, Connection, House

NOBODY = "7c56532b-2846-45df-9f8a-87fd0cace0b6"
# Seed 002, key by key and in order.
PATH = ["name", "confName", "source", "ready", "readyTime", "tracks", "bytesReceived", "bytesSent", "readers"]
CONNECTION = ["id", "created", "remoteAddr", "bytesReceived", "bytesSent", "session"]
SESSION = [
    "id",
    "created",
    "remoteAddr",
    "state",
    "path",
    "query",
    "transport",
    "bytesReceived",
    "bytesSent",
    "rtpPacketsReceived",
    "rtpPacketsSent",
    "rtpPacketsLost",
    "rtpPacketsInError",
    "rtpPacketsJitter",
    "rtcpPacketsReceived",
    "rtcpPacketsSent",
    "rtcpPacketsInError",
]


class TestPaths:
    async def test_a_path_nobody_publishes_to(self, house: House, operator: httpx.AsyncClient) -> None:
        house.add_path("cam", conf_name="cam")

        answer = await operator.get("/v3/paths/get/cam")

        assert answer.headers["content-type"] == "application/json"
        assert list(answer.json()) == PATH
        assert answer.json() == {
            "name": "cam",
            "confName": "cam",
            "source": None,
            "ready": False,
            "readyTime": None,
            "tracks": [],
            "bytesReceived": 0,
            "bytesSent": 0,
            "readers": [],
        }

    async def test_a_path_on_the_air(self, house: House, operator: httpx.AsyncClient) -> None:
        publisher = house.visit("live/room/cam", role=Role.PUBLISH)
        secure = house.add_service("RTSPS", Protocol.RTSPS, port=8322)
        readers = [
            house.visit("live/room/cam", role=Role.READ),
            house.visit("live/room/cam", role=Role.READ, service=secure),
        ]
        stream = house.engine.open_stream(OpenStream(tracks=[Track(codec=Codec.H264, clock_rate=90000)]))
        house.add_path(
            "live/room/cam",
            source=publisher,
            ready_time=LONG_AGO,
            tracks=("H264", "MPEG-4 Audio"),
            stream=stream,
            readers=readers,
        )

        path = (await operator.get("/v3/paths/get/live/room/cam")).json()

        assert path["source"] == {"type": "rtspSession", "id": str(publisher.id.uuid)}
        assert path["ready"] is True
        assert datetime.fromisoformat(path["readyTime"]) == LONG_AGO
        assert path["tracks"] == ["H264", "MPEG-4 Audio"]
        assert path["readers"] == [
            {"type": "rtspSession", "id": str(readers[0].id.uuid)},
            {"type": "rtspsSession", "id": str(readers[1].id.uuid)},
        ]
        TypeAdapter(document.Path).validate_json(json.dumps(path), strict=True)

    async def test_a_path_whose_readers_are_sent_elsewhere(
        self, house: House, operator: httpx.AsyncClient
    ) -> None:
        house.add_path("moved", redirects=True)
        path = (await operator.get("/v3/paths/get/moved")).json()
        assert (path["source"], path["ready"]) == ({"type": "redirect", "id": ""}, False)
        TypeAdapter(document.Path).validate_json(json.dumps(path), strict=True)

    async def test_the_list_is_in_name_order_and_paged(
        self, house: House, operator: httpx.AsyncClient
    ) -> None:
        for name in ("b", "d", "a", "c", "e"):
            house.add_path(name)

        first = (await operator.get("/v3/paths/list?itemsPerPage=2")).json()
        last = (await operator.get("/v3/paths/list?itemsPerPage=2&page=2")).json()
        past = (await operator.get("/v3/paths/list?itemsPerPage=2&page=3")).json()

        assert list(first) == ["pageCount", "itemCount", "items"]
        assert (first["pageCount"], first["itemCount"]) == (3, 5)
        assert [path["name"] for path in first["items"]] == ["a", "b"]
        assert [path["name"] for path in last["items"]] == ["e"]
        assert past == {"pageCount": 3, "itemCount": 5, "items": []}
        TypeAdapter(document.PathList).validate_json(json.dumps(first), strict=True)

    async def test_an_empty_list(self, operator: httpx.AsyncClient) -> None:
        assert (await operator.get("/v3/paths/list")).json() == {"pageCount": 0, "itemCount": 0, "items": []}

    async def test_bad_pages(self, operator: httpx.AsyncClient) -> None:
        answer = await operator.get("/v3/paths/list?itemsPerPage=0")

        assert answer.status_code == 400
        assert answer.json() == {"error": "invalid items per page"}

    @pytest.mark.parametrize("name", ["cam", "a/b/c", "ca%6d"])
    async def test_an_unknown_path(self, operator: httpx.AsyncClient, name: str) -> None:
        answer = await operator.get(f"/v3/paths/get/{name}")

        assert answer.status_code == 404
        assert answer.json() == {"error": "path not found"}

    async def test_no_name_at_all(self, operator: httpx.AsyncClient) -> None:
        answer = await operator.get("/v3/paths/get/")

        assert (answer.status_code, answer.json()) == (400, {"error": "invalid name"})


class TestConnections:
    async def test_one(self, house: House, operator: httpx.AsyncClient) -> None:
        session = house.visit()
        connection = Connection(
            handle=404, remote=Endpoint("2001:db8::5", 4000), session=session, tunnel=Tunnel.WEBSOCKET
        )
        house.rtsp_connections[connection.uuid] = connection

        answer = (await operator.get(f"/v3/rtspconns/get/{connection.uuid}")).json()

        assert list(answer)[: len(CONNECTION)] == CONNECTION
        assert answer["id"] == str(connection.uuid)
        assert datetime.fromisoformat(answer["created"]) == LONG_AGO
        assert answer["remoteAddr"] == "[2001:db8::5]:4000"
        assert answer["session"] == str(session.id.uuid)
        assert answer["tunnel"] == "websocket"
        TypeAdapter(document.RTSPConn).validate_json(json.dumps(answer), strict=True)

    async def test_the_list(self, house: House, operator: httpx.AsyncClient) -> None:
        for port in (1, 2, 3):
            connection = Connection(handle=port, remote=Endpoint("192.0.2.7", port))
            house.rtsp_connections[connection.uuid] = connection

        answer = (await operator.get("/v3/rtspconns/list")).json()

        assert [item["remoteAddr"] for item in answer["items"]] == [f"192.0.2.7:{port}" for port in (1, 2, 3)]
        assert {item["session"] for item in answer["items"]} == {None}
        TypeAdapter(document.RTSPConnList).validate_json(json.dumps(answer), strict=True)

    async def test_an_unknown_one(self, operator: httpx.AsyncClient) -> None:
        answer = await operator.get(f"/v3/rtspconns/get/{uuid4()}")

        assert (answer.status_code, answer.json()) == (404, {"error": "connection not found"})

    async def test_a_bad_id(self, operator: httpx.AsyncClient) -> None:
        answer = await operator.get("/v3/rtspconns/get/17")

        assert (answer.status_code, answer.json()) == (400, {"error": "invalid UUID length: 2"})

    async def test_there_is_no_kick(self, house: House, operator: httpx.AsyncClient) -> None:
        answer = await operator.post(f"/v3/rtspconns/kick/{uuid4()}")

        assert (answer.status_code, answer.text) == (404, "404 page not found")


class TestSessions:
    async def test_one(self, house: House, operator: httpx.AsyncClient) -> None:
        session = house.visit("live/cam", role=Role.READ)

        answer = (await operator.get(f"/v3/rtspsessions/get/{session.id.uuid}")).json()

        assert list(answer)[: len(SESSION)] == SESSION
        assert answer["id"] == str(session.id.uuid)
        assert answer["remoteAddr"] == "192.0.2.7:50198"
        assert (answer["state"], answer["path"], answer["query"]) == ("read", "live/cam", "a=b")
        assert answer["transport"] == "TCP"
        assert answer["userAgent"] == "tester/1.0"
        TypeAdapter(document.RTSPSession).validate_json(json.dumps(answer), strict=True)

    async def test_before_it_has_chosen(self, house: House, operator: httpx.AsyncClient) -> None:
        session = house.visit()

        answer = (await operator.get(f"/v3/rtspsessions/get/{session.id.uuid}")).json()

        assert (answer["state"], answer["path"], answer["transport"]) == ("idle", "", None)

    async def test_the_list_holds_one_protocol_oldest_first(
        self, house: House, operator: httpx.AsyncClient
    ) -> None:
        secure = house.add_service("RTSPS", Protocol.RTSPS)
        sessions = [house.visit("a"), house.visit("b", service=secure), house.visit("c")]

        answer = (await operator.get("/v3/rtspsessions/list")).json()

        assert [item["id"] for item in answer["items"]] == [str(sessions[i].id.uuid) for i in (0, 2)]
        TypeAdapter(document.RTSPSessionList).validate_json(json.dumps(answer), strict=True)

    async def test_a_session_of_the_other_protocol(self, house: House, operator: httpx.AsyncClient) -> None:
        secure = house.add_service("RTSPS", Protocol.RTSPS)
        session = house.visit("b", service=secure)

        answer = await operator.get(f"/v3/rtspsessions/get/{session.id.uuid}")

        assert (answer.status_code, answer.json()) == (404, {"error": "session not found"})

    async def test_a_kick(self, house: House, operator: httpx.AsyncClient) -> None:
        session, other = house.visit("live/cam"), house.visit("live/cam")

        answer = await operator.post(f"/v3/rtspsessions/kick/{session.id.uuid}")

        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        assert session.ends == [CloseReason.KICKED]
        assert other.ends == []
        gone = await operator.get(f"/v3/rtspsessions/get/{session.id.uuid}")
        assert (gone.status_code, gone.json()) == (404, {"error": "session not found"})
        again = await operator.post(f"/v3/rtspsessions/kick/{session.id.uuid}")
        assert (again.status_code, again.json()) == (404, {"error": "session not found"})


@pytest.mark.parametrize(
    ("method", "route"),
    [
        ("GET", "/v3/rtspsconns/list"),
        ("GET", f"/v3/rtspsconns/get/{NOBODY}"),
        ("GET", "/v3/rtspssessions/list"),
        ("GET", f"/v3/rtspssessions/get/{NOBODY}"),
        ("POST", f"/v3/rtspssessions/kick/{NOBODY}"),
    ],
)
async def test_routes_of_a_protocol_that_is_off(operator: httpx.AsyncClient, method: str, route: str) -> None:
    answer = await operator.request(method, route)

    assert (answer.status_code, answer.text) == (404, "404 page not found")
    assert answer.headers["content-type"].startswith("text/plain")


class TestConfiguration:
    async def test_global(self, house: House, operator: httpx.AsyncClient) -> None:
        answer = (await operator.get("/v3/config/global/get")).json()

        assert list(answer) == list(GlobalConf.names())
        assert answer == house.configuration.global_.document()
        assert answer["readTimeout"] == "10s"

    async def test_path_defaults(self, house: House, operator: httpx.AsyncClient) -> None:
        answer = (await operator.get("/v3/config/pathdefaults/get")).json()

        assert list(answer) == list(PathConf.names())
        assert answer == house.configuration.path_defaults.document()

    async def test_paths_by_name(self, house: House, operator: httpx.AsyncClient) -> None:
        house.configure(paths=["yard", "~^cam[0-9]$", "all_others", "barn"])

        answer = (await operator.get("/v3/config/paths/list?itemsPerPage=3")).json()

        assert (answer["pageCount"], answer["itemCount"]) == (2, 4)
        assert [conf["name"] for conf in answer["items"]] == ["all_others", "barn", "yard"]

    async def test_one_path_whose_name_is_an_expression(
        self, house: House, operator: httpx.AsyncClient
    ) -> None:
        house.configure(paths=["~^cam/[0-9]$"])

        answer = await operator.get("/v3/config/paths/get/~%5Ecam%2F%5B0-9%5D%24")

        assert answer.json()["name"] == "~^cam/[0-9]$"

    async def test_an_unknown_path(self, operator: httpx.AsyncClient) -> None:
        answer = await operator.get("/v3/config/paths/get/nobody")

        assert (answer.status_code, answer.json()) == (404, {"error": "path configuration not found"})
