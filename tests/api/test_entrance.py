"""Who may come to the operator's listener."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from headgate.api.app import build_metrics
from headgate.core.auth import access
from headgate.core.auth.throttle import LIMIT
from headgate.core.config import Applications, GlobalConf, PathConf
from tests.api.house import House
from tests.core.auth.servers import Issuer, serve

ADMIN = ("ops", "secret")
USERS = [
    {"user": "ops", "pass": "secret", "permissions": [{"action": "api"}]},
    {"user": "prometheus", "pass": "secret", "permissions": [{"action": "metrics"}]},
]
ROUTES = [
    "/v3/paths/list",
    "/v1/sessions",
    "/api/v1/applications/x/clients",
    "/session",
    "/relay/users",
    "/events",
    "/docs",
    "/",
    "/openapi.json",
]
CANARY = "canary-7f3a"


def configure(house: House, **settings: Any) -> None:
    house.configuration = replace(house.configuration, global_=GlobalConf.model_validate(settings))


@pytest.fixture
async def guarded(house: House) -> AsyncIterator[httpx.AsyncClient]:
    configure(house, authInternalUsers=USERS)
    async with house.client() as client:
        yield client


@pytest.mark.parametrize("route", [*ROUTES, "/metrics", "/v3/nothing", "/nothing"])
async def test_a_challenge_before_anything_is_looked_up(guarded: httpx.AsyncClient, route: str) -> None:
    answer = await guarded.get(route)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Basic realm="headgate"'
    if route.startswith("/v3"):
        assert answer.content == b""


async def test_each_action_has_its_users(guarded: httpx.AsyncClient) -> None:
    for route in ROUTES:
        if route != "/events":
            assert (await guarded.get(route, auth=ADMIN)).status_code in {200, 404}
            assert (await guarded.get(route, auth=("prometheus", "secret"))).status_code == 401
    assert (await guarded.get("/metrics", auth=("prometheus", "secret"))).status_code == 200
    assert (await guarded.get("/metrics", auth=ADMIN)).status_code == 401
    assert (await guarded.get("/health")).status_code == 200


async def test_the_listener_of_metrics_asks_as_well(house: House) -> None:
    configure(house, authInternalUsers=USERS)
    transport = httpx.ASGITransport(build_metrics(house.view))
    async with httpx.AsyncClient(transport=transport, base_url="http://192.0.2.1") as scraper:
        assert (await scraper.get("/metrics")).status_code == 401
        assert (await scraper.get("/metrics", auth=("prometheus", "secret"))).status_code == 200


async def test_by_default_only_this_machine(house: House) -> None:
    for peer, status in (("127.0.0.1", 200), ("::1", 200), ("::ffff:127.0.0.1", 200), ("192.0.2.9", 401)):
        transport = httpx.ASGITransport(house.app, client=(peer, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://192.0.2.1") as client:
            assert (await client.get("/v3/paths/list")).status_code == status


@pytest.mark.parametrize(
    ("trusted", "forwarded", "status"),
    [
        ([], "192.0.2.9", 200),
        (["127.0.0.1"], "192.0.2.9", 401),
        (["127.0.0.1"], "127.0.0.1, 192.0.2.9", 401),
        (["127.0.0.1"], "192.0.2.9, ::1", 200),
        (["127.0.0.1"], "192.0.2.9, [::1]:4711", 200),
        (["127.0.0.1"], "junk", 401),
    ],
)
async def test_behind_a_proxy(house: House, trusted: list[str], forwarded: str, status: int) -> None:
    configure(house, apiTrustedProxies=trusted)
    async with house.client() as client:
        answer = await client.get("/v3/paths/list", headers={"x-forwarded-for": forwarded})
    assert answer.status_code == status


@pytest.mark.parametrize(
    "path",
    [
        "//metrics",
        "/metrics/",
        "/./metrics",
        "/x/../metrics",
        "/METRICS",
        "/metrics%00",
        "/metrics;x",
        "/%2fmetrics",
        "/health/../v3/paths/list",
        "/health%2f..%2fv3/paths/list",
        "//v3/paths/list",
        "/v3/./paths/list",
        "/Health/",
    ],
)
async def test_no_other_form_of_a_route_leads_further(guarded: httpx.AsyncClient, path: str) -> None:
    """S-28."""
    request = guarded.build_request("GET", "/", headers={"x-http-method-override": "DELETE"})
    request.url = request.url.copy_with(raw_path=path.encode())
    assert (await guarded.send(request)).status_code in {401, 404, 400}


async def test_wrong_credentials_are_slowed_and_then_not_even_looked_at(
    house: House, guarded: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(LIMIT):
        assert (await guarded.get("/v3/paths/list", auth=("ops", f"{number}"))).status_code == 401
    assert (await guarded.get("/v3/paths/list", auth=ADMIN)).status_code == 401
    assert house.access.throttled == 1
    monkeypatch.setattr(access, "FAILURE_PAUSE", 0.2)
    start = time.monotonic()
    await asyncio.gather(*(guarded.get("/v3/paths/list", auth=("x", "y")) for _ in range(5)))
    assert 0.2 <= time.monotonic() - start < 0.8


@pytest.mark.parametrize("headers", [{}, {"authorization": "Basic YTpi"}, {"authorization": "Bearer x"}])
async def test_a_strangers_name_for_this_server(house: House, headers: dict[str, str]) -> None:
    """S-25: without an Origin as well. Credentials that hold are another matter."""
    session = house.visit("live/cam")
    async with house.client() as client:
        host = {"host": "evil.example:9997", **headers}
        answer = await client.delete(f"/v1/sessions/{session.id.number}", headers=host)
        assert (answer.status_code, session.ends) == (403, [])
        configure(house, authInternalUsers=USERS)
        answer = await client.delete(
            f"/v1/sessions/{session.id.number}", headers={"host": "gate.example:9997"}, auth=ADMIN
        )
        assert answer.status_code == 204


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/json"])
@pytest.mark.parametrize("origin", ["http://evil.example", "null"])
async def test_forms_of_other_sites(
    house: House, operator: httpx.AsyncClient, kind: str, origin: str
) -> None:
    session = house.visit("live/cam")
    answer = await operator.post(
        f"/v3/rtspsessions/kick/{session.id.uuid}",
        content=b"a=b",
        headers={"content-type": kind, "origin": origin},
    )
    assert (answer.status_code, session.ends) == (403, [])
    assert "access-control-allow-origin" not in answer.headers


async def test_a_page_that_logs_in_may_read(guarded: httpx.AsyncClient) -> None:
    asked = {
        "origin": "http://evil.example",
        "access-control-request-method": "GET",
        "access-control-request-headers": "authorization",
    }
    preflight = await guarded.options("/v3/paths/list", headers=asked)
    assert preflight.headers["access-control-allow-origin"] == "*"
    answer = await guarded.get("/v3/paths/list", headers={"origin": "http://evil.example"}, auth=ADMIN)
    assert answer.headers["access-control-allow-origin"] == "*"
    for changed in ({"access-control-request-method": "DELETE"}, {"access-control-request-headers": ""}):
        preflight = await guarded.options("/v3/paths/list", headers={**asked, **changed})
        assert "access-control-allow-origin" not in preflight.headers


async def test_a_token_and_the_refresh_of_keys(house: House) -> None:
    issuer = Issuer()
    async with serve(issuer.answer) as url, house.client() as client:
        configure(house, authMethod="jwt", authJWTJWKS=url)
        token = issuer.token(mediamtx_permissions=[{"action": "api"}])
        bearer = {"authorization": f"Bearer {token}"}
        assert (await client.get("/v3/paths/list")).status_code == 401
        assert (await client.get("/v3/paths/list", headers=bearer)).status_code == 200
        assert (await client.get(f"/v3/paths/list?jwt={token}")).status_code == 200
        answer = await client.post("/v3/auth/jwks/refresh", headers=bearer)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    await house.access.__aexit__(None, None, None)


async def test_an_event_stream_ends_with_its_token(house: House) -> None:
    issuer = Issuer()
    async with serve(issuer.answer) as url, house.client() as client:
        configure(house, authMethod="jwt", authJWTJWKS=url)
        token = issuer.token(mediamtx_permissions=[{"action": "api"}], exp=int(time.time()) + 2)
        async with asyncio.timeout(10):
            answer = await client.get("/events", headers={"authorization": f"Bearer {token}"})
        assert answer.content.startswith(b"retry")
    await house.access.__aexit__(None, None, None)


async def test_no_answer_has_a_secret(house: House, operator: httpx.AsyncClient) -> None:
    """S-27: a canary in every secret of the configuration, and in what clients send."""
    url = f"https://user:{CANARY}@host/?token={CANARY}"
    settings = GlobalConf.model_validate(
        {
            "authHTTPAddress": url,
            "authJWTJWKS": url,
            "authInternalUsers": [
                {"user": "any", "permissions": [{"action": "api"}, {"action": "metrics"}]},
                {"user": "bob", "pass": CANARY},
            ],
            "webrtcICEServers2": [{"url": "turn:h", "username": "u", "password": CANARY}],
        }
    )
    path = PathConf.model_validate(
        {
            "name": "cam",
            "source": f"rtsp://user:{CANARY}@host/cam",
            "fallback": f"rtsp://user:{CANARY}@host/cam",
            "sourceRedirect": f"rtsp://user:{CANARY}@host/cam",
            "srtReadPassphrase": CANARY,
            "srtPublishPassphrase": CANARY,
        }
    )
    house.configuration = replace(
        house.configuration,
        global_=settings,
        path_defaults=path,
        paths={"cam": path},
        applications=Applications(access_token=CANARY),
    )
    house.visit("cam")
    routes = [
        "/v3/config/global/get",
        "/v3/config/pathdefaults/get",
        "/v3/config/paths/list",
        "/v3/config/paths/get/cam",
        "/v3/paths/list",
        "/v3/rtspsessions/list",
        "/v1/sessions",
        "/v1/services",
        "/metrics",
        "/openapi.json",
        "/api/v1/applications/cam/clients",
        f"/api/v1/applications/cam/clients?accessToken={CANARY}",
    ]
    for route in routes:
        answer = await operator.get(route)
        assert answer.status_code in {200, 401}, route
        assert CANARY not in answer.text, route
    assert "<redacted>" in (await operator.get("/v3/config/global/get")).text
