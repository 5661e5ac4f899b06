from __future__ import annotations

import logging

import httpx
import pytest

from headgate.core.session import CloseReason
from tests.api.house import House

HERE = "http://192.0.2.1:9997"
ELSEWHERE = "http://evil.example"


class TestOtherSites:
    @pytest.mark.parametrize(
        "origin",
        [ELSEWHERE, "http://gate.example:80", "http://gate.example.evil:9997", "null", "http://[", ""],
    )
    async def test_their_pages_change_nothing(
        self, house: House, operator: httpx.AsyncClient, origin: str
    ) -> None:
        session = house.visit("live/cam")
        routes = [
            ("POST", f"/v3/rtspsessions/kick/{session.id.uuid}"),
            ("DELETE", f"/v1/sessions/{session.id.number}"),
            ("DELETE", f"/api/v1/applications/live/clients/{session.id.code}"),
            ("DELETE", "/api/v1/applications/live/clients"),
        ]
        answers = [await operator.request(*route, headers={"origin": origin}) for route in routes]

        assert {answer.status_code for answer in answers} == {403}
        assert "apiAllowOrigin" in answers[0].json()["error"]
        assert "apiAllowOrigin" in answers[1].json()["errors"][0]["detail"]
        assert answers[2].json()["code"] == 403
        assert session.ends == []

    @pytest.mark.parametrize("origin", [None, HERE])
    async def test_our_own_pages_and_programs_may(
        self, house: House, operator: httpx.AsyncClient, origin: str | None
    ) -> None:
        session = house.visit("live/cam")
        headers = {} if origin is None else {"origin": origin}

        answer = await operator.delete(f"/v1/sessions/{session.id.number}", headers=headers)

        assert answer.status_code == 204
        assert session.ends == [CloseReason.KICKED]

    @pytest.mark.parametrize(
        ("host", "status"),
        [
            ("127.0.0.1:9997", 204),
            ("[::1]:9997", 204),
            ("localhost:9997", 204),
            ("evil.example:9997", 403),
            ("localhost.evil.example:9997", 403),
        ],
    )
    async def test_a_strangers_name_for_the_loopback_address(
        self, house: House, host: str, status: int
    ) -> None:
        """DNS rebinding: the page's own host name leads here, so its origin is the host it asked for."""
        session = house.visit("live/cam")
        transport = httpx.ASGITransport(house.app)
        headers = {"host": host, "origin": f"http://{host}"}

        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:9997") as browser:
            answer = await browser.delete(f"/v1/sessions/{session.id.number}", headers=headers)

        assert answer.status_code == status
        assert session.ends == ([CloseReason.KICKED] if status == 204 else [])

    async def test_ports_that_go_without_saying(self, house: House, operator: httpx.AsyncClient) -> None:
        session = house.visit("live/cam")
        headers = {"origin": "http://192.0.2.1", "host": "192.0.2.1:80"}

        answer = await operator.delete(f"/v1/sessions/{session.id.number}", headers=headers)

        assert answer.status_code == 204

    async def test_a_site_that_is_allowed_by_name(self, house: House, operator: httpx.AsyncClient) -> None:
        house.configure(allow_origin="https://ops.example")
        session = house.visit("live/cam")

        answer = await operator.delete(
            f"/v1/sessions/{session.id.number}", headers={"origin": "https://ops.example"}
        )

        assert answer.status_code == 204
        assert answer.headers["access-control-allow-origin"] == "https://ops.example"
        assert answer.headers["access-control-allow-credentials"] == "true"

    @pytest.mark.parametrize("headers", [{}, {"authorization": "Basic YTpi"}, {"authorization": "junk"}])
    async def test_an_address_is_no_credential_of_a_page(
        self, operator: httpx.AsyncClient, headers: dict[str, str]
    ) -> None:
        """S-25: a browser on this machine is let in, and whoever made the page does not see what it gets."""
        answer = await operator.get("/v3/paths/list", headers={"origin": ELSEWHERE, **headers})

        readable = "access-control-allow-origin" in answer.headers
        assert (answer.status_code, readable) == ((401, True) if "junk" in headers.values() else (200, False))

    async def test_programs_are_told_what_pages_may(self, operator: httpx.AsyncClient) -> None:
        answer = await operator.get("/v3/paths/list")

        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers

    async def test_what_a_browser_sends_without_an_origin(
        self, house: House, operator: httpx.AsyncClient
    ) -> None:
        session = house.visit("live/cam")

        answer = await operator.delete(
            f"/v1/sessions/{session.id.number}", headers={"sec-fetch-site": "cross-site"}
        )

        assert (answer.status_code, session.ends) == (403, [])

    async def test_no_site_may_read_where_none_is_allowed(
        self, house: House, operator: httpx.AsyncClient
    ) -> None:
        house.configure(allow_origin="")

        answer = await operator.get("/v3/paths/list", headers={"origin": ELSEWHERE})

        assert "access-control-allow-origin" not in answer.headers

    @pytest.mark.parametrize(
        ("origin", "methods"), [(HERE, "OPTIONS, GET, POST, PATCH, DELETE"), (ELSEWHERE, "OPTIONS, GET")]
    )
    async def test_preflight(self, operator: httpx.AsyncClient, origin: str, methods: str) -> None:
        answer = await operator.options(
            "/v3/paths/list", headers={"origin": origin, "access-control-request-method": "POST"}
        )

        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["access-control-allow-methods"] == methods
        assert answer.headers["access-control-allow-headers"] == "Authorization, Content-Type"


class TestRoutes:
    @pytest.mark.parametrize(
        ("method", "route"),
        [
            ("GET", "/v3/nothing"),
            ("POST", "/v3/paths/list"),
            ("DELETE", "/v3/paths/get/cam"),
            ("HEAD", "/v3/paths/list"),
            ("POST", "/v3/config/global/patch"),
            ("BREW", "/v3/paths/list"),
            ("GET", "/v3/"),
        ],
    )
    async def test_unknown_in_v3(self, operator: httpx.AsyncClient, method: str, route: str) -> None:
        answer = await operator.request(method, route)

        assert answer.status_code == 404
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.text == ("" if method == "HEAD" else "404 page not found")

    @pytest.mark.parametrize(
        ("route", "location"),
        [
            ("/v3/paths/list/", "/v3/paths/list"),
            ("/v3/paths/list//", "/v3/paths/list"),
            ("/v3/paths/list/?page=1&itemsPerPage=2", "/v3/paths/list?page=1&itemsPerPage=2"),
            ("/v3/rtspsessions/get/x/", "/v3/rtspsessions/get/x"),
        ],
    )
    async def test_a_slash_too_many_in_v3(
        self, operator: httpx.AsyncClient, route: str, location: str
    ) -> None:
        answer = await operator.get(route)

        assert (answer.status_code, answer.headers["location"]) == (301, location)

    async def test_unknown_elsewhere(self, operator: httpx.AsyncClient) -> None:
        assert (await operator.get("/nothing")).json() == {"error": "no such resource"}
        assert (await operator.get("/v1/nothing")).content == b""
        assert (await operator.get("/api/v1/applications/live/streams")).json()["status"] == "error"

    @pytest.mark.parametrize(
        "route", ["/v1/sessions", "/v1/services/RTSP", "/health", "/metrics", "/", "/docs", "/openapi.json"]
    )
    async def test_head(self, operator: httpx.AsyncClient, route: str) -> None:
        answer = await operator.head(route)

        assert (answer.status_code, answer.content) == (200, b"")
        assert int(answer.headers["content-length"]) > 0

    async def test_head_of_the_endless(self, operator: httpx.AsyncClient) -> None:
        assert (await operator.head("/events")).status_code == 405

    async def test_options_in_v1(self, operator: httpx.AsyncClient) -> None:
        answer = await operator.options("/v1/sessions")

        assert answer.status_code == 200
        assert "DELETE" in answer.headers["allow"]


class TestBugs:
    @pytest.mark.parametrize(
        ("route", "shape"),
        [
            ("/v3/paths/list", {"error"}),
            ("/v1/sessions", {"errors"}),
            ("/api/v1/applications/live/clients", {"status", "code", "message", "timestamp"}),
            ("/metrics", {"error"}),
        ],
    )
    async def test_are_answered_in_the_dialect_and_logged(
        self,
        house: House,
        operator: httpx.AsyncClient,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        route: str,
        shape: set[str],
    ) -> None:
        def broken(*_: object, **__: object) -> None:
            raise ZeroDivisionError("secret")

        monkeypatch.setattr(house.registry, "sessions", broken)
        monkeypatch.setattr(type(house.paths), "__iter__", broken)

        answer = await operator.get(route)

        assert answer.status_code == 500
        assert answer.headers["content-type"] == "application/json"
        assert set(answer.json()) == shape
        assert "secret" not in answer.text
        (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
        assert record.getMessage() == f"a bug while answering GET {route}"


async def test_what_every_answer_says(operator: httpx.AsyncClient) -> None:
    for route in ("/v3/paths/list", "/v3/nothing", "/", "/v1/sessions/99"):
        headers = (await operator.get(route)).headers
        assert headers["server"] == "headgate"
        assert headers["x-content-type-options"] == "nosniff"
