"""S-27: a canary in every secret there is, and every place where one could come to light."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from starlette.routing import Route

from headgate.api.app import build
from headgate.core.config import Applications, Configuration, GlobalConf, OwnConf, PathConf
from headgate.core.config.secrets import REDACTED, redacted
from headgate.core.config.section import Section
from headgate.core.events import ConfigurationChanged
from headgate.core.webhooks.webhooks import Webhooks
from headgate.server import Server
from tests.media.rtsp.live import Client

CANARY = "canary7f3a9"
LOCAL = "127.0.0.1:0"
URL = f"//spy:{CANARY}@127.0.0.1:1/x?token={CANARY}&a=b"
USERS = [
    {"user": "any", "permissions": [{"action": "publish"}, {"action": "read", "path": "open"}]},
    {"user": "ops", "pass": CANARY, "permissions": [{"action": "api"}, {"action": "metrics"}]},
    {"user": "bob", "pass": CANARY, "permissions": [{"action": "read"}]},
]
SECRET_WORDS = ("pass", "secret", "token")
PUBLIC = {"serverToken", "tokenFile"}
"""Told to every page; the name of a file."""
SRT = {"srtReadPassphrase", "srtPublishPassphrase"}
"""Refused while SRT is not built, so that no server has one."""


def settings() -> Configuration:
    paths: dict[str, dict[str, Any]] = {
        "pulled": {"source": f"rtsp:{URL}"},
        "sent": {"source": "redirect", "sourceRedirect": f"rtsp:{URL}"},
        "cam": {"fallback": f"rtsps:{URL}", "runOnReady": f"true -i rtsp:{URL}"},
        "open": {},
    }
    return Configuration(
        global_=GlobalConf.model_validate(
            {
                "api": True,
                "apiAddress": LOCAL,
                "metrics": True,
                "metricsAddress": LOCAL,
                "rtspAddress": LOCAL,
                "rtpAddress": LOCAL,
                "rtcpAddress": LOCAL,
                "authInternalUsers": USERS,
                "authHTTPAddress": f"http:{URL}",
                "authJWTJWKS": f"https:{URL}",
                "webrtcICEServers2": [{"url": "turn:h:1", "username": "spy", "password": CANARY}],
                "runOnConnect": f"true http:{URL}",
                "rtspAuthMethods": ["basic", "digest"],
            }
        ),
        path_defaults=PathConf.model_validate({"fallback": f"rtsp:{URL}"}),
        paths={name: PathConf.model_validate({"name": name, **conf}) for name, conf in paths.items()},
        applications=Applications.model_validate({"accessToken": CANARY}),
        own=OwnConf.model_validate(
            {
                "webhooks": [{"url": f"http://127.0.0.1:1/{CANARY}?x={CANARY}", "secret": CANARY * 2}],
                "turn": {
                    "interfaces": [{"transport": "udp", "bind": LOCAL}],
                    "users": {"spy": CANARY},
                    "authSecrets": [CANARY * 2],
                    "authHTTPAddress": f"http://127.0.0.1:1/x?key={CANARY}",
                },
                "rooms": {
                    "address": LOCAL,
                    "turnSecret": CANARY,
                    "sessionSecret": CANARY * 4,
                    "encryptionSecret": CANARY * 4,
                    "users": {"enabled": True, "mode": "sharedsecret", "sharedsecretSecret": CANARY * 4},
                },
            }
        ),
    )


def secret_keys(section: type[Section]) -> Iterator[str]:
    """What is a secret by its name or type, in a section and the ones in it."""
    for key, name in section.names().items():
        field = section.model_fields[name]
        if any(word in key.lower() for word in SECRET_WORDS) or field.annotation is SecretStr:
            yield key
        annotations = (field.annotation, *getattr(field.annotation, "__args__", ()))
        inside = [one for one in annotations if isinstance(one, type)]
        for one in inside:
            if issubclass(one, Section):
                yield from secret_keys(one)


def test_every_secret_of_the_model_has_its_canary() -> None:
    """A new one must be planted above, and is redacted by its key."""
    planted = {"pass", "password", "accessToken", "secret", "authSecrets"}
    planted |= {"turnSecret", "sessionSecret", "encryptionSecret", "sharedsecretSecret"}
    found = {key for one in (GlobalConf, PathConf, Applications, OwnConf) for key in secret_keys(one)}
    assert found - SRT - PUBLIC == planted
    assert redacted(dict.fromkeys(planted, CANARY)) == dict.fromkeys(planted, REDACTED)


@pytest.fixture
async def server(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    caplog.set_level(logging.DEBUG)
    # Nobody takes its last words.
    monkeypatch.setitem(Webhooks.__init__.__kwdefaults__, "farewell_timeout", 0.1)
    async with Server(settings()) as server:
        yield server


@asynccontextmanager
async def client(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    base = f"http://{server.operator}"
    async with httpx.AsyncClient(base_url=base, trust_env=False, timeout=10, auth=("ops", CANARY)) as http:
        yield http


def basic(user: str, password: str = CANARY) -> str:
    return "Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def reading_calls(server: Server) -> Iterator[str]:
    for route in build(server.view).router.routes:
        assert isinstance(route, Route)
        if "GET" in (route.methods or ()) and route.path != "/events":
            yield route.path


async def events_of(http: httpx.AsyncClient) -> str:
    """All that are remembered."""
    text = ""
    async with http.stream("GET", "/events", headers={"last-event-id": "0"}) as answer:
        async with asyncio.timeout(10):
            async for part in answer.aiter_text():
                text += part
                if "configuration.changed" in text:
                    break
    return text


MISTAKEN: list[dict[str, Any]] = [
    {"authInternalUsers": [{"user": "x", "pass": f"{CANARY} ü", "permissions": []}]},
    {"authInternalUsers": [{"user": "x", "pass": f"sha256:{CANARY}!", "permissions": []}]},
    {"authInternalUsers": [{"user": f"argon2:{CANARY}", "pass": 5}]},
    {"authHTTPAddress": f"ftp:{URL}"},
    {"authMethod": "jwt", "authJWTJWKS": f"ftp:{URL}"},
    {"webrtcICEServers2": [{"url": f"stan:spy:{CANARY}@h"}]},
    {"webrtcICEServers2": [{"url": "turn:h", "password": [CANARY]}]},
]
MISTAKEN_PATH: list[dict[str, Any]] = [
    {"source": f"gopher:{URL}"},
    {"source": f"rtsp://spy:{CANARY}@"},
    {"source": f"rtsp//spy:{CANARY}@h"},
    {"source": f"rtmp://{CANARY}@h/x"},
    {"source": f"rtsp://h:{CANARY}@h:99999999/"},
    {"source": "redirect", "sourceRedirect": f"http:{URL}"},
    {"fallback": f"file:{URL}"},
    {"srtReadPassphrase": CANARY},
    {"srtPublishPassphrase": "x" * 90 + CANARY},
]


async def test_no_answer_event_log_or_metric_tells_one(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    seen: dict[str, str] = {}
    async with (
        client(server) as http,
        Client.connect(server) as publisher,
        Client.connect(server) as reader,
        Client.connect(server) as guesser,
    ):
        assert (await publisher.publish(f"cam?token={CANARY}")).status in {200, 400, 404}
        assert (await guesser.ask("DESCRIBE", "sent", basic("bob"))).status in {301, 302}
        publish = await publisher.ask("OPTIONS", "open")
        assert publish.status == 200
        async with Client.connect(server) as second:
            assert (await second.publish("open")).status == 200
            headers = ("Transport: RTP/AVP/TCP;unicast", basic("bob"))
            answer = await reader.ask("SETUP", f"open/trackID=0?jwt={CANARY}&pass={CANARY}&a=b", *headers)
            assert answer.status == 200, answer
            session = next(one for one in server.registry.sessions() if one.remote == reader.address)
            number = str(session.id.number)
            for path in reading_calls(server):
                for value in (number, str(session.id.uuid), session.id.code, "open", "cam", "nobody"):
                    url = path
                    for name in ("{name:path}", "{id}", "{application}", "{name}"):
                        url = url.replace(name, value)
                    assert "{" not in url, url
                    if url in seen:
                        continue
                    seen[url] = (await http.get(url, params={"accessToken": CANARY, "jwt": CANARY})).text
            for given in MISTAKEN:
                answer_ = await http.patch("/v3/config/global/patch", json=given)
                assert answer_.status_code == 400, given
                seen[f"PATCH {given}"] = answer_.text
            for given in MISTAKEN_PATH:
                for call in ("POST /v3/config/paths/add/fresh", "PATCH /v3/config/paths/patch/open"):
                    answer_ = await http.request(*call.split(), json=given)
                    assert answer_.status_code == 400, given
                    seen[f"{call} {given}"] = answer_.text
            wrong = await http.get("/v3/paths/list", auth=("ops", CANARY + "x"))
            assert wrong.status_code == 401
            seen["401"] = wrong.text
            metrics = await http.get(f"http://{server.metrics}/metrics")
            assert "headgate_" in metrics.text
            seen["metrics"] = metrics.text
            assert (await http.patch("/v3/config/global/patch", json={"logLevel": "warn"})).is_success
            seen["events"] = await events_of(http)
    assert len(seen) > 100
    for where, text in seen.items():
        assert CANARY not in text, where
    assert REDACTED in seen["/v3/config/global/get"]
    ours = [one for one in caplog.records if not one.name.startswith("http")]  # not what the client logs
    assert CANARY not in "\n".join(f"{one.name} {one.getMessage()} {one.exc_text}" for one in ours)
    assert "source of path 'pulled'" in caplog.text, "what could tell it has spoken"


async def test_what_a_get_gave_changes_nothing_when_it_is_sent_back(server: Server) -> None:
    before = server.configuration
    async with client(server) as http:
        for get, method, put in (
            ("config/global/get", "PATCH", "config/global/patch"),
            ("config/pathdefaults/get", "PATCH", "config/pathdefaults/patch"),
            *((f"config/paths/get/{name}", "PATCH", f"config/paths/patch/{name}") for name in before.paths),
            *((f"config/paths/get/{name}", "POST", f"config/paths/replace/{name}") for name in before.paths),
        ):
            document = (await http.get(f"/v3/{get}")).json()
            assert CANARY not in json.dumps(document)
            answer = await http.request(method, f"/v3/{put}", json=document)
            assert (answer.status_code, answer.text) == (200, '{"status":"ok"}'), put
            assert server.configuration == before, put
    assert not [one for one in server.bus.since(0) if isinstance(one.event, ConfigurationChanged)]
