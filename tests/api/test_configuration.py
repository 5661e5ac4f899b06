"""The configuration changed over real HTTP, in a whole server of the test's own event loop."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from headgate.core.events import ConfigurationChanged
from headgate.server import Server
from tests.media.conftest import configuration

LOCAL = "127.0.0.1:0"
GLOBAL = "/v3/config/global/patch"


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with Server(configuration(api=True, api_address=LOCAL)) as server:
        yield server


@pytest.fixture
async def http(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://{server.operator}", trust_env=False, timeout=10) as http:
        yield http


async def get(http: httpx.AsyncClient, what: str) -> Any:
    answer = await http.get(f"/v3/config/{what}")
    assert answer.status_code == 200
    return answer.json()


def refused(answer: httpx.Response, *, status: int = 400) -> str:
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error"]
    return str(answer.json()["error"])


async def test_every_call(server: Server, http: httpx.AsyncClient) -> None:
    for method, call, body in (
        ("PATCH", "global/patch", {"readTimeout": "20s"}),
        ("PATCH", "pathdefaults/patch", {"maxReaders": 4}),
        ("POST", "paths/add/door/one", {"overridePublisher": False}),
        ("PATCH", "paths/patch/door/one", {"maxReaders": 2}),
        ("POST", "paths/add/~%5Elive%2F", {}),
        ("POST", "paths/replace/yard", {"maxReaders": 1}),
        ("DELETE", "paths/delete/all_others", None),
    ):
        answer = await http.request(method, f"/v3/config/{call}", json=body)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"}), answer.text
    assert (await get(http, "global/get"))["readTimeout"] == "20s"
    assert (await get(http, "pathdefaults/get"))["maxReaders"] == 4
    paths = {path["name"]: path for path in (await get(http, "paths/list"))["items"]}
    assert list(paths) == ["door/one", "yard", "~^live/"]
    assert (paths["door/one"]["maxReaders"], paths["door/one"]["overridePublisher"]) == (2, False)
    assert paths["~^live/"]["maxReaders"] == 4
    listed = (await http.get("/v3/paths/list")).json()["items"]
    assert [path["name"] for path in listed] == ["door/one", "yard"]
    told = [one.event for one in server.bus.since(0) if isinstance(one.event, ConfigurationChanged)]
    assert [event.keys for event in told][:3] == [
        ("readTimeout",),
        ("pathDefaults.maxReaders", "paths.all_others"),
        ("paths.door/one",),
    ]
    assert (await http.post("/v3/config/reset")).json() == {"status": "ok"}
    assert list(server.configuration.paths) == ["all_others"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "EOF"),
        (b" \n", "EOF"),
        (b'{"logLevel":', "unexpected EOF"),
        (b"{]", "not JSON"),
        (b"[]", "json: cannot unmarshal array into an object"),
        (b'"x"', "json: cannot unmarshal string into an object"),
        (b'{"foo": 1}', 'json: unknown field "foo"'),
        (b'{"readTimeout": NaN}', "not JSON"),
        (b'{"writeQueueSize": ' + b"9" * 5000 + b"}", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"logFile": "\xff"}', "not UTF-8"),
        (b'{"logFile": "\\ud800"}', "characters that are not allowed"),
        (b'{"logFile": "\\u0000"}', "characters that are not allowed"),
        (b'{"logFile": "' + b"x" * (1 << 20) + b'"}', "larger than 1 MiB"),
    ],
)
async def test_bodies_that_are_none(server: Server, http: httpx.AsyncClient, body: bytes, text: str) -> None:
    before = server.configuration
    assert text in refused(await http.patch(GLOBAL, content=body))
    assert server.configuration is before


@pytest.mark.parametrize(
    "body",
    [b'{"readTimeout": "3s"}', b'{"readTimeout": "3s"} and more', b'\n{"readTimeout":"3s","hls":null}'],
)
async def test_the_type_is_ignored_and_so_is_what_follows(
    server: Server, http: httpx.AsyncClient, body: bytes
) -> None:
    answer = await http.patch(GLOBAL, content=body, headers={"content-type": "image/png"})
    assert answer.status_code == 200
    assert server.configuration.global_.read_timeout == 3


async def test_an_empty_object_and_null_change_nothing(server: Server, http: httpx.AsyncClient) -> None:
    last = server.bus.last_id
    for body in (b"{}", b"null"):
        assert (await http.patch(GLOBAL, content=body)).status_code == 200
    assert server.bus.last_id == last


async def test_what_is_not_there_and_what_is(http: httpx.AsyncClient) -> None:
    path = "/v3/config/paths"
    assert refused(await http.patch(f"{path}/patch/x", json={}), status=404) == "path not found"
    assert refused(await http.delete(f"{path}/delete/x"), status=404) == "path not found"
    assert refused(await http.post(f"{path}/add/all_others", json={})) == "path already exists"
    assert refused(await http.post(f"{path}/add/", json={})) == "invalid name"
    assert "json: unknown field" in refused(await http.patch(f"{path}/patch/x", json={"y": 1}))


NAMES = [
    "..%2F..%2Fetc%2Fpasswd", "a%2F..%2Fb", "%252e%252e", "a%5Cb", "a%00b", "%2Fabs", "a%2F", "x" * 256,
    "%D0%BA%D0%B0%D0%BC", "a%20b", "%2E%2E", "%2E", "a%2F.%2Fb", "~%28",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
async def test_names_that_lead_elsewhere(server: Server, http: httpx.AsyncClient, name: str) -> None:
    """S-18."""
    before = server.configuration
    for call in ("add", "replace"):
        # As it stands: a client that tidies the URL up would make another of it.
        url = httpx.URL(str(http.base_url), raw_path=f"/v3/config/paths/{call}/{name}".encode())
        told = refused(await http.post(url, json={}))
        assert told.startswith(("invalid path name", "invalid regular expression"))
    assert server.configuration is before


async def test_a_page_of_another_site_changes_nothing(server: Server, http: httpx.AsyncClient) -> None:
    answer = await http.patch(GLOBAL, json={"hls": False}, headers={"origin": "http://evil.example"})
    assert answer.status_code == 403
    assert server.configuration.global_.hls


@pytest.mark.parametrize("key", ["apiAddress", "metricsAddress", "rtspAddress"])
async def test_a_taken_port_changes_nothing(server: Server, http: httpx.AsyncClient, key: str) -> None:
    before = server.configuration
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:{1}".format(*taken.getsockname())
        changes = {key: address, "metrics": True, "readTimeout": "3s", "rtspTransports": ["tcp"]}
        changes.setdefault("metricsAddress", LOCAL)
        told = refused(await http.patch(GLOBAL, json=changes))
    assert key in told
    assert "address already in use" in told
    assert server.configuration is before
    assert server.metrics is None
    # Everything listens as it did.
    assert (await http.get("/health")).status_code == 200
    rtsp = server.registry.service("RTSP").listeners[0].endpoint
    socket.create_connection((rtsp.host, rtsp.port), timeout=5).close()


async def test_a_file_that_is_not_there_changes_nothing(http: httpx.AsyncClient) -> None:
    told = refused(
        await http.patch(GLOBAL, json={"rtspEncryption": "optional", "rtspServerCert": "/none/x.crt"})
    )
    assert told == "RTSPS: cannot read /none/x.crt (rtspServerCert): No such file or directory"


async def test_the_api_moves_and_still_answers(server: Server, http: httpx.AsyncClient) -> None:
    before = server.operator
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = "127.0.0.1:{1}".format(*free.getsockname())
    answer = await http.patch(GLOBAL, json={"apiAddress": address, "metrics": True, "metricsAddress": LOCAL})
    assert answer.json() == {"status": "ok"}
    assert str(server.operator) == address != str(before)
    async with httpx.AsyncClient(base_url=f"http://{address}", trust_env=False) as there:
        assert (await there.get("/health")).status_code == 200
        assert "headgate_" in (await there.get(f"http://{server.metrics}/metrics")).text
        assert (await there.patch(GLOBAL, json={"metrics": False})).status_code == 200
        assert server.metrics is None
        # Off by its own word: the last answer.
        assert (await there.patch(GLOBAL, json={"api": False})).json() == {"status": "ok"}
    assert server.operator is None


async def test_calls_at_once_are_taken_one_after_another(server: Server, http: httpx.AsyncClient) -> None:
    """F-24: changes from everywhere, and the file."""
    async with asyncio.TaskGroup() as tasks:
        calls = [
            tasks.create_task(http.post(f"/v3/config/paths/add/p{index % 50}", json={"maxReaders": index}))
            for index in range(100)
        ]
        reloads = [tasks.create_task(server.store.reload()) for _ in range(10)]
    assert sorted(call.result().status_code for call in calls) == [200] * 50 + [400] * 50
    assert all(reload.result() for reload in reloads)
    assert len(server.configuration.paths) == 51


async def test_what_was_got_can_be_put(server: Server, http: httpx.AsyncClient) -> None:
    await http.post("/v3/config/paths/add/cam", json={"maxReaders": 3})
    before = server.configuration
    document = await get(http, "global/get")
    assert (await http.patch(GLOBAL, content=json.dumps(document))).status_code == 200
    document = await get(http, "paths/get/cam")
    assert (await http.post("/v3/config/paths/replace/cam", json=document)).status_code == 200
    document = await get(http, "pathdefaults/get")
    assert (await http.patch("/v3/config/pathdefaults/patch", json=document)).status_code == 200
    assert server.configuration == before
