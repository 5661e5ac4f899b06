"""The public REST API, as the seed says it and as the old server answered."""

from __future__ import annotations

import asyncio
import base64
import io
import re
from pathlib import Path

import httpx
import pytest
from PIL import Image

from headgate.core.auth.throttle import LIMIT
from headgate.rooms import http_connection
from headgate.rooms.secrets import Secrets
from tests.rooms.conftest import Open, Wing


async def test_well_known(open_rooms: Open) -> None:
    async with open_rooms(base_path="/meet/") as wing:
        answer = await wing.http.get("/meet/.well-known/spreed-configuration")
        assert answer.json() == {"spreed-webrtc_endpoint": f"http://{wing.address}/meet"}
        assert answer.headers["content-type"] == "application/json"
        assert (await wing.http.get("/.well-known/spreed-configuration")).status_code == 404
        assert (await wing.http.get("/meet")).status_code == 404


async def test_config(open_rooms: Open) -> None:
    settings = {
        "title": "Tea",
        "turnURIs": ["turn:t:1?transport=udp", "turn:t:1?transport=udp"],
        "serverToken": "public",
        "modules": {"youtube": False},
        "users": {"enabled": True, "mode": "sharedsecret"},
    }
    async with open_rooms(**settings) as wing:
        answer = await wing.http.get("/api/v1/config")
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.text.startswith('{\n  "Title": "Tea",\n  "S": "static/ver=1.2.3",')
    assert answer.json() == {
        "Title": "Tea",
        "S": "static/ver=1.2.3",
        "B": "/",
        "Token": "public",
        "Renegotiation": False,
        "StunURIs": [],
        "TurnURIs": ["turn:t:1?transport=udp"],
        "Tokens": False,
        "Version": "1.2.3",
        "UsersEnabled": True,
        "UsersAllowRegistration": False,
        "UsersMode": "sharedsecret",
        "DefaultRoomEnabled": True,
        "Plugin": "",
        "AuthorizeRoomCreation": False,
        "AuthorizeRoomJoin": False,
        "Modules": ["screensharing", "presentation", "contacts"],
    }


async def test_a_name_for_a_room(wing: Wing) -> None:
    body = (await wing.http.post("/api/v1/rooms")).json()
    assert re.fullmatch(r"[A-Za-z0-9]{11}", body["name"])
    assert body == {"success": True, "name": body["name"], "url": f"http://{wing.address}/{body['name']}"}


async def test_forwarded_headers_are_a_proxys(open_rooms: Open) -> None:
    headers = {"x-forwarded-proto": "https", "x-forwarded-host": "meet.example.org"}
    async with open_rooms() as wing:
        url = (await wing.http.post("/api/v1/rooms", headers=headers)).json()["url"]
        assert url.startswith(f"http://{wing.address}/")
    async with open_rooms(trusted_proxies=["127.0.0.1"]) as wing:
        url = (await wing.http.post("/api/v1/rooms", headers=headers)).json()["url"]
        assert url.startswith("https://meet.example.org/")


async def test_codes(open_rooms: Open, tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("# comment\n\nGuest One:somebody:else\nlast\n:empty\n")
    async with open_rooms(token_file=str(file)) as wing:

        async def ask(code: str) -> tuple[int, dict[str, object]]:
            answer = await wing.http.post("/api/v1/tokens", data={"a": code})
            return answer.status_code, answer.json()

        assert await ask("GUEST one") == (200, {"token": "guest one", "success": True})
        assert await ask("last") == (200, {"token": "last", "success": True})
        refused = {"code": "invalid_token", "message": "Invalid token", "success": False}
        assert await ask("nobody") == (403, refused)
        assert await ask("") == (403, refused)
        assert (await ask("x" * 101))[1]["code"] == "auth_too_large"
        assert (await ask("x" * 101))[0] == 413
        file.write_text("new code")
        assert (await ask("new code"))[0] == 200
        assert (await wing.http.post("/api/v1/tokens", json={"a": "new code"})).status_code == 200
        file.unlink()
        assert (await ask("new code"))[0] == 403
        assert (await wing.http.post("/api/v1/tokens?a=x")).status_code == 403
        assert (await wing.http.post("/api/v1/tokens", content=b"a" * 100_000)).status_code == 400


async def test_codes_are_not_guessed(open_rooms: Open, tmp_path: Path) -> None:
    """S-34: by address; and a right one in between is no way around it."""
    file = tmp_path / "tokens"
    file.write_text("right\n")
    async with open_rooms(token_file=str(file), trusted_proxies=["127.0.0.1"]) as wing:

        async def ask(code: str, ip: str) -> int:
            answer = await wing.http.post("/api/v1/tokens", data={"a": code}, headers={"x-forwarded-for": ip})
            return answer.status_code

        for number in range(LIMIT):
            assert await ask("right", "192.0.2.1") == 200
            assert await ask("", "192.0.2.1") == 403, "which is no guess"
            assert await ask(f"{number}", "192.0.2.1") == 403
        assert await ask("right", "192.0.2.1") == 403
        assert await ask("right", "192.0.2.2") == 200, "elsewhere nobody is locked out"
        settings = wing.server.hub.settings.model_copy(update={"title": "Tea"})
        wing.server.follow(settings, Secrets.made(None).under(settings))
        assert await ask("right", "192.0.2.1") == 403
        at_once = await asyncio.gather(*(ask(f"{number}", "192.0.2.3") for number in range(3 * LIMIT)))
        assert set(at_once) == {403}
        assert await ask("right", "192.0.2.3") == 403


async def test_the_last_descriptors_are_for_others(wing: Wing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connection, "are_spare", lambda: False)
    with pytest.raises(httpx.TransportError):
        await wing.http.get("/api/v1/config")
    monkeypatch.undo()
    assert (await wing.http.get("/api/v1/config")).status_code == 200


async def test_without_a_token_file(wing: Wing) -> None:
    assert (await wing.http.post("/api/v1/tokens", data={"a": "x"})).status_code == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("HEAD", "/api/v1/config"),
        ("OPTIONS", "/api/v1/config"),
        ("POST", "/api/v1/config"),
        ("GET", "/api/v1/tokens"),
        ("GET", "/api/v1/rooms"),
        ("GET", "/api/v1/users"),
        ("GET", "/api/v1/sessions/x/"),
    ],
)
async def test_a_method_that_a_resource_does_not_have(wing: Wing, method: str, path: str) -> None:
    answer = await wing.http.request(method, path)
    assert (answer.status_code, answer.content) == (405, b"")


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/api/v1/config/", "/api/v1/config"),
        ("/api/v1/sessions/x", "/api/v1/sessions/x/"),
        ("/tea/", "/tea"),
        ("//evil.example/", "/evil.example"),
        ("/api/v1/rooms/?a=b", "/api/v1/rooms?a=b"),
    ],
)
async def test_slashes(wing: Wing, path: str, location: str) -> None:
    answer = await wing.http.get(f"http://{wing.address}{path}")
    assert (answer.status_code, answer.headers["location"]) == (301, location)


@pytest.mark.parametrize(
    ("method", "path", "location"),
    [
        ("PATCH", "/api/v1/sessions/x", "/api/v1/sessions/x/"),
        ("POST", "/api/v1/users/", "/api/v1/users"),
        ("POST", "/api/v1/tokens/", "/api/v1/tokens"),
    ],
)
async def test_slashes_whatever_the_method(wing: Wing, method: str, path: str, location: str) -> None:
    answer = await wing.http.request(method, path)
    assert (answer.status_code, answer.headers["location"]) == (301, location)


async def test_the_form_of_answers(open_rooms: Open) -> None:
    async with open_rooms(stats=True) as wing:
        assert (await wing.http.post("/api/v1/tokens", data={"a": "x"})).text == (
            '{\n  "code": "invalid_token",\n  "message": "Invalid token",\n  "success": false\n}\n'
        )
        for path in ("config", "stats"):
            answer = await wing.http.get(f"/api/v1/{path}", headers={"origin": "https://other.example"})
            assert ("access-control-allow-origin" in answer.headers) == (path == "stats")
        assert "Disallow: /" in (await wing.http.get("/robots.txt")).text


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/nothing",
        "/api/v1/stats",
        "/api/v1/pipelines/x",
        "/static/x.py",
        "/static/%2e%2e/%2e%2e/x",
    ],
)
async def test_what_is_not_there(wing: Wing, path: str) -> None:
    assert (await wing.http.get(path)).status_code == 404


async def test_stats(open_rooms: Open) -> None:
    async with open_rooms(stats=True) as wing:
        one, other = await wing.callers(2)
        await one.hello()
        await other.hello()
        answer = await wing.http.get("/api/v1/stats?details=1")
        assert answer.headers["access-control-allow-origin"] == "*"
        body = answer.json()
        assert body["hub"] == body["Hub"]
        assert body["runtime"] == body["Runtime"]
        assert all(isinstance(value, int) for value in body["runtime"].values())
        hub = body["hub"]
        names = ("rooms", "connections", "sessions", "users", "count")
        assert [hub[name] for name in names] == [1, 2, 2, 0, 2]
        assert set(hub["sessionsbyid"]) == {one.id, other.id}
        assert hub["idsinroom"] == {"Room:tea": [one.id, other.id]}
        assert one.me["Sid"] not in answer.text
        assert "sessionsbyid" not in (await wing.http.get("/api/v1/stats")).json()["hub"]


async def test_a_buddy_picture(wing: Wing) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (300, 200), "orange").save(stream, "JPEG")
    url = "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
    one, other = await wing.callers(2)
    await one.hello()
    await other.hello()
    await one.next("Joined")
    status = {"displayName": "One", "buddyPicture": url}
    await one.send("Status", {"Type": "Status", "Status": status})
    told = await other.data("Status")
    assert (told["Id"], told["Rev"], told["Prio"]) == (one.id, 2, 100)
    name = told["Status"]["buddyPicture"]
    assert re.fullmatch(r"img:[\w-]{24}/[\w-]{12}/picture\.jpg", name)
    path = "/static/img/buddy/s46/" + name.removeprefix("img:")
    answer = await wing.http.get(path)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.size == (46, 46)
    etag, modified = answer.headers["etag"], answer.headers["last-modified"]
    for header in ({"if-none-match": etag}, {"if-modified-since": modified}):
        assert (await wing.http.get(path, headers=header)).status_code == 304
    for wrong in ("/static/img/buddy/x/" + name[4:], "/static/img/buddy/s46/nobody/x/picture.jpg"):
        answer = await wing.http.get(wrong)
        assert (answer.status_code, answer.text) == (404, "Unknown image\n")
    await one.socket.close()
    await other.next("Left")
    assert (await wing.http.get(path)).status_code == 404


@pytest.mark.parametrize(
    "picture",
    [
        7,
        {"a": 1},
        "data:text/html;base64,PGgxPg==",
        "data:image/svg+xml;base64,PHN2Zy8+",
        "data:image/png;base64,AAAA",
        "data:image/png;base64,*",
        "data:",
    ],
)
async def test_what_is_no_picture_changes_nothing(wing: Wing, picture: object) -> None:
    one = await wing.caller()
    await one.hello()
    await one.send("Status", {"Type": "Status", "Status": {"buddyPicture": picture}})
    assert await one.error() == "bad_request"
    await one.send("Users")
    assert "Status" not in (await one.data("Users"))["Users"][0]


async def test_a_status_is_bounded(wing: Wing) -> None:
    one = await wing.caller()
    await one.send("Status", {"Type": "Status", "Status": {"message": "x" * 9000}})
    assert await one.error() == "bad_request"


async def test_the_page_is_not_there_until_it_is_built(wing: Wing) -> None:
    answer = await wing.http.get("/tea")
    assert answer.status_code in {200, 404}
    assert answer.headers["x-content-type-options"] == "nosniff"
