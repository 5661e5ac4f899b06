"""S-38: every operation of the operator's listener, by everybody, and with whatever a client can think of.

What there is to call is read from the listener's own OpenAPI document, so that no operation is forgotten.
"""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from jsonschema import Draft202012Validator

from headgate.core.auth import access, throttle
from headgate.core.config import Startup
from headgate.server import Server
from tests.rooms.caller import Caller

CONFIGURATION = """
apiAddress: 127.0.0.1:0
metrics: yes
metricsAddress: 127.0.0.1:0
rtspAddress: 127.0.0.1:0
rtpAddress: 127.0.0.1:0
rtcpAddress: 127.0.0.1:0
turn: {interfaces: [{transport: udp, bind: "127.0.0.1:0"}]}
rooms: {address: "127.0.0.1:0"}
authInternalUsers:
  - {user: ops, pass: secret, permissions: [{action: api}]}
  - {user: scraper, pass: secret, permissions: [{action: metrics}]}
  - {user: reader, pass: secret, permissions: [{action: read}, {action: playback}]}
  - {user: publisher, pass: secret, permissions: [{action: publish}]}
paths:
  door: {}
"""
OPS = ("ops", "secret")
ROLES: Mapping[str, tuple[str, str] | None] = {
    "nobody": None,
    "a wrong password": ("ops", "wrong"),
    "reader": ("reader", "secret"),
    "publisher": ("publisher", "secret"),
    "scraper": ("scraper", "secret"),
}
OPEN = {"/health", "/health/ready"}
STREAMS = {"/events"}
NO_ROUTE = b"404 page not found"
"""Of `/v3`, for what is switched off, and for a parameter that has a slash or a line in it."""
TIMES = 12
"""Requests of one operation that are no good."""


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    about: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"


class Place:
    """A server with somebody in every wing's reach, and what its operator's listener describes."""

    def __init__(
        self, server: Server, document: dict[str, Any], http: httpx.AsyncClient, caller: Caller
    ) -> None:
        self.server = server
        self.caller = caller
        self.document = document
        self.http = http
        (room,) = server.rooms.directory.rooms()
        (session,) = server.registry.sessions(service=server.registry.service("Rooms"))
        self._ids = {
            "/rooms/": room.id,
            "/v1/sessions/": str(session.id.number),
            "/v1/services/": "Rooms",
            "{session}": str(session.id.number),
            "{name}": "door",
            "{application}": "door",
            "{id}": str(session.id.uuid),
        }

    def operations(self) -> Iterator[Operation]:
        for path, methods in self.document["paths"].items():
            for method, about in methods.items():
                yield Operation(method, path, about)

    def present(self, path: str) -> str:
        """With something that is there in the place of every parameter."""
        for mark, value in self._ids.items():
            if mark.startswith("/"):
                path = path.replace(f"{mark}{{id}}", f"{mark}{value}")
            else:
                path = path.replace(mark, value)
        assert "{" not in path, f"the test does not know what to put into {path}"
        return path

    def state(self) -> object:
        server = self.server
        rooms = [
            (room.id, room.participants, room.pin, room.locked) for room in server.rooms.directory.rooms()
        ]
        sessions = [session.id.number for session in server.registry.sessions()]
        return rooms, sessions, server.configuration

    async def call(self, operation: Operation, url: str, **options: Any) -> httpx.Response:
        async with self.http.stream(operation.method.upper(), url, **options) as answer:
            if operation.path not in STREAMS or answer.status_code != 200:
                await answer.aread()
        return answer


@asynccontextmanager
async def opened(directory: Path) -> AsyncIterator[Place]:
    file = directory / "headgate.yml"
    file.write_text(CONFIGURATION)
    startup = Startup.load(file, {"HEADGATE_STATE_DIR": str(directory / "state")})
    async with Server(startup) as server:
        url = f"ws://{server.rooms.endpoint}/ws"
        base = f"http://{server.operator}"
        async with (
            Caller.connect(url) as one,
            httpx.AsyncClient(base_url=base, trust_env=False, timeout=20) as http,
        ):
            await one.hello()
            document = (await http.get("/openapi.json", auth=OPS)).json()
            yield Place(server, document, http, one)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor an end of patience: so many refusals are what this is about."""
    monkeypatch.setattr(access, "FAILURE_PAUSE", 0.0)
    monkeypatch.setattr(throttle, "LIMIT", 10_000)


async def test_no_operation_without_its_permission(tmp_path: Path) -> None:
    async with opened(tmp_path) as place:
        before = place.state()
        operations = list(place.operations())
        assert len(operations) >= 48
        for role, auth in ROLES.items():
            for one in operations:
                answer = await place.call(one, place.present(one.path), auth=auth)
                allowed = one.path in OPEN or (role == "scraper" and one.path == "/metrics")
                assert (answer.status_code == 401) is not allowed, f"{role}: {one} {answer.status_code}"
                assert allowed or "tea" not in answer.text, f"{role}: {one} tells of what there is"
            for page in ("/", "/docs", "/openapi.json"):
                assert (await place.http.get(page, auth=auth)).status_code == 401
        assert place.state() == before
        await place.caller.silence()


async def test_the_listener_of_metrics_has_metrics_and_no_operation(tmp_path: Path) -> None:
    async with opened(tmp_path) as place:
        place.http.base_url = f"http://{place.server.metrics}"
        for one in place.operations():
            for auth in (None, OPS, ("scraper", "secret")):
                answer = await place.call(one, place.present(one.path), auth=auth)
                allowed = one.path == "/metrics" and auth == ("scraper", "secret")
                assert answer.status_code in ({200} if allowed else {401, 404, 405}), str(one)


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_is_asked_is_answered_as_it_is_described(
    tmp_path: Path, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(seed)
    async with opened(tmp_path) as place:
        operations = list(place.operations())
        chance.shuffle(operations)
        for one in operations:
            for _ in range(TIMES):
                url, options = hostile(one, place, chance)
                answer = await place.call(one, url, auth=OPS, **options)
                judge(one, place, answer, asked=f"{url} {options}")
        assert (await place.http.get("/health")).status_code == 200
    assert not [record for record in caplog.records if "a bug" in record.getMessage()]


def hostile(operation: Operation, place: Place, chance: random.Random) -> tuple[str, dict[str, Any]]:
    """A request that is good in some of its parts at most."""
    path, query, headers = operation.path, [], {}
    for parameter in operation.about.get("parameters", ()):
        name, where = parameter["name"], parameter["in"]
        value = chance.choice((*NASTY, *INTEGERS))
        if where == "path":
            if chance.random() < 0.6:
                path = path.replace(f"{{{name}}}", quote(value.replace("\0", "\x01"), safe="") or "x")
        elif where == "query" and chance.random() < 0.7:
            query.append((name, value))
            if chance.random() < 0.1:
                query.append((name, chance.choice(NASTY)))
        elif where == "header" and chance.random() < 0.5:
            headers[name] = quote(value) or "0"
    if chance.random() < 0.1:
        query.append((chance.choice(("x", "pretty", "")), chance.choice(NASTY)))
    options: dict[str, Any] = {"params": query, "headers": headers}
    if "requestBody" in operation.about:
        options["content"] = _body(operation, chance)
        headers["content-type"] = chance.choice(("application/json", "application/json", "text/plain"))
    return place.present(path), options


def _body(operation: Operation, chance: random.Random) -> bytes:
    content = operation.about["requestBody"]["content"]["application/json"]["schema"]
    keys = list(content.get("properties", {})) or ["name", "paths", "source", "logLevel"]
    match chance.randrange(6):
        case 0:
            return chance.choice((b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"[" * 5000, b'{"a":NaN}'))
        case 1:
            return json.dumps({chance.choice(NASTY): chance.choice(VALUES)}).encode(errors="replace")
    given = {key: chance.choice(VALUES) for key in keys if chance.random() < 0.5}
    return json.dumps(given).encode(errors="replace")


def judge(operation: Operation, place: Place, answer: httpx.Response, *, asked: str) -> None:
    """What is documented, and never our fault."""
    told = f"{operation} {asked[:400]}: {answer.status_code}"
    assert answer.status_code < 500 or operation.path in OPEN, told
    if operation.path in STREAMS and answer.status_code == 200:
        return
    if operation.path == "/metrics" and answer.status_code == 401:
        return  # it has a permission of its own
    if answer.status_code == 404 and answer.content == NO_ROUTE:
        return
    responses = operation.about["responses"]
    assert str(answer.status_code) in responses, f"{told} is not described"
    content = responses[str(answer.status_code)].get("content", {})
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if not answer.content:
        return
    assert kind in content, f"{told}: {kind} is not described"
    schema = content[kind].get("schema", {})
    if kind == "application/json" and schema:
        whole = {**schema, "components": place.document["components"]}
        Draft202012Validator(whole).validate(answer.json())
    assert answer.headers["x-content-type-options"] == "nosniff", told


NASTY = (
    "",
    "x",
    "\0",
    "\r\nset-cookie: a=b",
    "é🫖",
    "../../etc/passwd",
    "..%2f..",
    "%s%n%x",
    "'; DROP TABLE rooms;--",
    "<script>alert(1)</script>",
    "$(touch /tmp/x)",
    "a" * 300,
    "a" * 5000,
    "~^(a+)+$",
    "true",
    "null",
    "00000000-0000-0000-0000-000000000000",
    "AAAAAAAAAAAAA",
    "127.0.0.1:1",
    "[::1]:1",
)
INTEGERS = ("0", "-1", "1", "2147483648", "9223372036854775808", "1e3", "1.5", "٣", "9" * 400)
VALUES: tuple[Any, ...] = (
    *NASTY,
    None,
    True,
    0,
    -1,
    2**63,
    10**400,
    1.5,
    [],
    {},
    [None],
    {"a": {"b": []}},
    [[[[[]]]]],
)
