"""S-38 for the public listener: whose session it is, and whatever else a stranger asks for."""

from __future__ import annotations

import json
import random
from typing import Any
from urllib.parse import quote

import pytest
from websockets.exceptions import InvalidStatus

from tests.rooms.caller import Caller
from tests.rooms.conftest import Open, Wing
from tests.rooms.test_accounts import SHARED, login, patch, signed

ANSWERS = {200, 301, 304, 400, 403, 404, 405, 413, 426}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "X")
PATHS = (
    ".well-known/spreed-configuration",
    "api/v1/config",
    "api/v1/tokens",
    "api/v1/rooms",
    "api/v1/sessions/{}/",
    "api/v1/users",
    "api/v1/stats",
    "static/img/buddy/{}/{}/{}",
    "static/{}",
    "ws",
    "robots.txt",
    "{}",
    "{}/{}",
)
NASTY = (
    "",
    "x",
    "s46",
    "s99999",
    "\r\nset-cookie: a=b",
    "é🫖",
    "../../../../etc/passwd",
    "..%2f..%2fetc/passwd",
    "%s%n",
    "<script>alert(1)</script>",
    "a" * 300,
    "a" * 20_000,
    "\x7f",
)
BODIES = (
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe",
    b"[" * 10_000,
    b"a=" + b"x" * 200,
    b"&" * 5000,
    b"a=%zz&id=%00",
    b'{"id": {}, "sid": [], "useridcombo": 7, "secret": null}',
    b'{"id": "' + b"x" * 5000 + b'", "sid": "\\u0000", "useridcombo": ":::", "secret": "=="}',
    b"x" * 40_000,
)
KINDS = (
    "application/json",
    "application/x-www-form-urlencoded",
    "text/html",
    "",
    "application/json; charset=x",
)


def request(chance: random.Random, ids: list[str]) -> dict[str, Any]:
    path = chance.choice(PATHS)
    while "{}" in path:
        path = path.replace("{}", quote(chance.choice((*NASTY, *ids)), safe="%"), 1)
    query = f"?{chance.choice(('a', 't', 'details', 'seen'))}={quote(chance.choice(NASTY))}"
    headers = {
        "content-type": chance.choice(KINDS),
        "if-modified-since": chance.choice(("", "yesterday", "Sat, 32 Foo 9999 99:99:99 GMT")),
        "if-none-match": chance.choice(('"x"', "*", ",,,")),
        "x-forwarded-for": "1.2.3.4",
        "origin": "https://evil.example",
    }
    if chance.random() < 0.2:
        headers |= {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    # As it is: httpx would put dots in order.
    target = f"/{path}{query if chance.random() < 0.4 else ''}".encode("ascii")
    return {"headers": headers, "content": chance.choice(BODIES), "extensions": {"target": target}}


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_is_asked(open_rooms: Open, seed: int, caplog: pytest.LogCaptureFixture) -> None:
    chance = random.Random(seed)
    async with open_rooms(**SHARED, stats=True) as wing:
        one = await wing.caller()
        welcome = await one.hello()
        for _ in range(250):
            method, given = chance.choice(METHODS), request(chance, [one.id])
            answer = await wing.http.request(method, "/", **given)
            told = f"{method} {given['extensions']['target'][:200]!r}: {answer.status_code}"
            assert answer.status_code in ANSWERS, told
            assert "set-cookie" not in answer.headers, told
            assert b"root:" not in answer.content, told
            assert one.me["Sid"] not in answer.text, told
            if answer.headers.get("content-type", "").startswith("text/html"):
                assert "default-src 'self'" in answer.headers["content-security-policy"]
        await one.send("Users")
        assert (await one.data("Users"))["Users"] == welcome["Users"]
    assert not [record for record in caplog.records if "a bug" in record.getMessage()]


async def test_nobody_speaks_for_another(open_rooms: Open) -> None:
    """Whatever one knows of another: only who has a session's Sid has the session."""
    async with open_rooms(**SHARED) as wing:
        guest, other, user = await wing.caller(), await wing.caller(), await login(wing, "bob")
        await other.hello()
        for one in (guest, user):
            for sid in (one.me["Sid"], other.id, other.me["Token"], "", guest.id):
                status, _ = await patch(wing, other, sid=sid, **signed("ann"))
                assert status == 403
                body = {"id": other.id, "sid": sid}
                assert (await wing.http.post("/api/v1/users", json=body)).status_code in {400, 403}
            attestation = await _attestation(other, one)
            for token in (other.id, attestation, other.me["Suserid"] or "x", one.me["Token"] + "x"):
                back = await wing.caller(query=f"?t={quote(token)}")
                assert back.id != other.id
        nonce = (await patch(wing, other, **signed("ann")))[1]["nonce"]
        inner = {"Userid": "ann", "Nonce": nonce}
        await guest.send("Authentication", {"Type": "Authentication", "Authentication": inner})
        assert await guest.error() == "invalid_session_token"
        await other.send("Authentication", {"Type": "Authentication", "Authentication": inner})
        assert (await other.data("Self"))["Userid"] == "ann"


async def _attestation(of: Caller, to: Caller) -> str:
    await of.send("Offer", {"To": to.id, "Offer": {}})
    return str((await to.next("Offer"))["A"])


async def test_a_moderator_of_one_room_is_none_of_another(wing: Wing) -> None:
    one, other, third = await wing.callers(3)
    await one.hello("tea", Extensions=["state"])
    await other.hello("coffee")
    await third.hello("coffee")
    await other.next("Joined")
    for given in (
        {"Action": "remove", "Id": third.id},
        {"Action": "mute", "Id": third.id, "Media": "chat"},
        {"Action": "promote", "Id": third.id},
        {"Action": "deny", "Id": third.id},
    ):
        await one.send("Moderate", given, iid="m")
        assert await one.error() == "no_such_session"
    await third.silence()
    await third.send("Chat", {"To": "", "Chat": {"Message": "still here", "NoEcho": True}})
    await other.next("Chat")


async def test_what_others_are_told_has_no_secret_in_it(open_rooms: Open) -> None:
    async with open_rooms(**SHARED, stats=True) as wing:
        watcher, one = await wing.caller(), await login(wing, "ann")
        await watcher.hello(Extensions=["state"])
        await one.hello()
        await one.send("Status", {"Type": "Status", "Status": {"displayName": "Ann"}})
        await one.send("Chat", {"To": watcher.id, "Chat": {"Message": "hello", "NoEcho": True}})
        heard = [await watcher.next(kind) for kind in ("Joined", "Status", "Chat")]
        await watcher.send("Users")
        heard.append(await watcher.next("Users"))
        told = json.dumps(heard) + (await wing.http.get("/api/v1/stats?details=1")).text
        for secret in ("Sid", "Token", "Suserid"):
            assert one.me[secret]
            assert one.me[secret] not in told


async def test_a_query_of_many_fields(wing: Wing, caplog: pytest.LogCaptureFixture) -> None:
    """A stranger must not be able to fill the log with tracebacks."""
    with pytest.raises(InvalidStatus) as caught:
        await wing.caller(query="?" + "&".join(["a=1"] * 17))
    assert caught.value.response.status_code == 400
    assert caplog.records == []
