"""S-25: no page of another site changes anything, by whatever call. The calls are those that there are."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from fastapi import FastAPI
from starlette.routing import BaseRoute, Route

from headgate.api.app import build, build_metrics
from headgate.core.config.former_keys import FORMER_GLOBAL, FORMER_PATH
from headgate.core.events import PathNotReady, PathReady, SessionChanged, SessionOpened
from headgate.server import Server
from tests.media.conftest import configuration
from tests.media.rtsp.live import Client

LOCAL = "127.0.0.1:0"
READING = {"GET", "HEAD", "OPTIONS"}
COMMAND = "touch /tmp/headgate-was-here"
FOREIGN = [
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:1"},
    {"sec-fetch-site": "cross-site"},
    {"host": "evil.example"},
    {"host": "evil.example", "origin": "http://evil.example"},
    {"host": ""},
    {"origin": "https://evil.example", "content-type": "text/plain"},
    {"origin": "https://evil.example", "content-type": "application/x-www-form-urlencoded"},
]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    settings = configuration(api=True, api_address=LOCAL, paths={"cam": {}, "door": {"max_readers": 7}})
    async with Server(settings) as server:
        yield server


@pytest.fixture
async def http(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://{server.operator}", trust_env=False, timeout=10) as http:
        yield http


def changing(routes: list[BaseRoute]) -> Iterator[tuple[str, str]]:
    """Every call that is more than a look. Fails at a route whose methods cannot be told."""
    for route in routes:
        assert isinstance(route, Route), f"{route} is of a kind that this test does not know"
        assert route.methods, f"{route.path} takes any method"
        for method in sorted(route.methods - READING):
            yield method, route.path


def filled(path: str, ids: dict[str, str]) -> str:
    """With something that is there in place of every parameter."""
    path = path.replace("{name:path}", "fresh" if "/add/" in path else "door")
    for service, found in ids.items():
        path = path.replace(service, found)
    assert "{" not in path, f"the test does not know what to put into {path}"
    return path


async def test_calls_that_change_something_are_refused_to_others(
    server: Server, http: httpx.AsyncClient
) -> None:
    app: FastAPI = build(server.view)
    assert list(changing(build_metrics(server.view).routes)) == []
    calls = list(changing(app.router.routes))
    assert len(calls) >= 12
    assert {path for _, path in calls} >= {"/v3/config/global/patch", "/v3/config/reset", "/v1/sessions/{id}"}
    async with Client.connect(server) as publisher:
        assert (await publisher.publish("cam")).status == 200
        (session,) = server.registry.sessions()
        before = copy.copy(server.configuration)
        ids = {
            "{application}": "cam",
            "{app}": "cam",
            "{client}": session.id.code,
            "{clientId}": session.id.code,
            "{client_id}": session.id.code,
            "{id}": str(session.id.uuid),
            "{session}": str(session.id.number),
        }
        for method, path in calls:
            for headers in FOREIGN:
                answer = await http.request(
                    method, filled(path, ids), json={"maxReaders": 3, "logLevel": "debug"}, headers=headers
                )
                told = (method, path, headers, answer.status_code)
                assert answer.status_code == 403, told
                if "origin" in headers and "host" not in headers:
                    assert "access-control-allow-origin" not in answer.headers, told
        assert server.configuration == before
        assert server.store.changes.text() == type(server.store.changes)().text()
        assert server.registry.sessions() == [session]
        kinds = {type(one.event) for one in server.bus.since(0)} & {PathNotReady, PathReady}
        assert kinds == {PathReady}
        assert {SessionOpened, SessionChanged} <= {type(one.event) for one in server.bus.since(0)}
    # The same calls from here are not refused as foreign: it is not that they are refused to all.
    for method, path in calls:
        answer = await http.request(method, filled(path, ids), json={})
        assert answer.status_code != 403, (method, path)


def hooks_by_every_name() -> list[tuple[str, str, str]]:
    """Method, call and key: of this release and of others."""
    paths = ["runOnReady", "runOnInit", "runOnDemand", "runOnRead", "runOnNotReady", "runOnUnread"]
    paths += [former for former, now in FORMER_PATH.items() if now.key.startswith("runOn")]
    globals_ = ["runOnConnect", "runOnDisconnect"]
    globals_ += [former for former, now in FORMER_GLOBAL.items() if now.key.startswith("runOn")]
    return [
        *(("PATCH", "global/patch", key) for key in globals_),
        *(
            (method, call, key)
            for key in paths
            for method, call in (
                ("PATCH", "pathdefaults/patch"),
                ("POST", "paths/add/fresh"),
                ("PATCH", "paths/patch/door"),
                ("POST", "paths/replace/door"),
                ("POST", "paths/replace/fresh"),
            )
        ),
    ]


async def test_no_name_of_a_hook_is_a_way_to_a_command(server: Server, http: httpx.AsyncClient) -> None:
    before = server.configuration
    assert any(key == "runOnAvailable" for _, _, key in hooks_by_every_name())
    for method, call, key in hooks_by_every_name():
        value: object = True if key.endswith("Restart") else COMMAND
        answer = await http.request(method, f"/v3/config/{call}", json={key: value, "maxReaders": 3})
        if call == "global/patch":
            answer = await http.request(method, f"/v3/config/{call}", json={key: value})
        assert answer.status_code == 400, (method, call, key)
        assert "cannot be set through the API" in answer.json()["error"] or "maxReaders" in answer.text
    for key in ("webhooks", "hooksFromAPI"):
        answer = await http.patch("/v3/config/global/patch", json={key: True})
        assert (answer.status_code, "unknown field" in answer.text) == (400, True)
    assert server.configuration is before
