"""What each option of the configuration does, where no other file of tests is about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from headgate.rooms.rest.app import RoomsApp
from headgate.rooms.rest.page import Files
from tests.rooms.caller import Caller
from tests.rooms.conftest import Open, Wing
from tests.rooms.test_accounts import SECRET, SHARED, USERS, login, patch, signed

SECRETS = {"sessionSecret": "s" * 32, "encryptionSecret": "e" * 32, "serverToken": "public"}


async def document(wing: Wing) -> dict[str, Any]:
    body: dict[str, Any] = (await wing.http.get("/api/v1/config")).json()
    return body


async def back(wing: Wing, caller: Caller) -> bool:
    """Whether who connects with that one's token is the same again."""
    again = await wing.caller(query=f"?t={caller.me['Token']}")
    return again.id == caller.id


@pytest.mark.parametrize(
    ("settings", "known"),
    [
        ({}, True),
        ({"sessionSecret": "x" * 32}, False),
        ({"serverToken": "another"}, False),
        ({"serverRealm": "elsewhere"}, False),
        ({"encryptionSecret": "x" * 32}, True),
    ],
)
async def test_what_voids_tokens(open_rooms: Open, settings: dict[str, str], known: bool) -> None:  # noqa: FBT001
    async with (
        open_rooms(**SHARED, **SECRETS) as one,
        open_rooms(**SHARED, **{**SECRETS, **settings}) as other,
    ):
        caller = await one.caller()
        assert await back(other, caller) is known
        assert (await document(one))["Token"] == "public"
        assert (await document(other))["Token"] == settings.get("serverToken", "public")


async def test_a_secret_user_id_is_made_with_the_encryption_secret(open_rooms: Open) -> None:
    found = []
    for secret in ("e" * 32, "e" * 32, "f" * 32):
        async with open_rooms(**SHARED, **{**SECRETS, "encryptionSecret": secret}) as wing:
            found.append((await login(wing, "ann")).me["Suserid"])
            assert (await login(wing, "ann")).me["Suserid"] == found[-1]
    assert found[0] == found[1] != found[2]


async def test_user_names_are_signed_with_the_shared_secret(open_rooms: Open) -> None:
    async with open_rooms(users={**USERS, "sharedsecretSecret": "another secret!!"}) as wing:
        one = await wing.caller()
        assert (await patch(wing, one, **signed("ann", secret=SECRET)))[0] == 403
        assert (await patch(wing, one, **signed("ann", secret="another secret!!")))[0] == 200


async def test_calls_may_be_renegotiated(open_rooms: Open) -> None:
    async with open_rooms(renegotiation=True) as wing:
        assert (await document(wing))["Renegotiation"] is True


async def test_switched_on_and_off_for_clients(open_rooms: Open) -> None:
    settings = {"authorizeRoomCreation": True, "authorizeRoomJoin": True, "defaultRoomEnabled": False}
    async with open_rooms(**settings, users={**USERS, "mode": "httpheader"}, trusted_proxies=["::1"]) as wing:
        shown = await document(wing)
    for key in ("AuthorizeRoomCreation", "AuthorizeRoomJoin", "UsersEnabled", "UsersAllowRegistration"):
        assert shown[key] is True
    assert (shown["DefaultRoomEnabled"], shown["UsersMode"]) == (False, "httpheader")


@pytest.mark.parametrize("module", ["screensharing", "youtube", "presentation", "contacts"])
async def test_a_module_that_is_off(open_rooms: Open, module: str) -> None:
    async with open_rooms(modules={module: False}) as wing:
        modules = (await document(wing))["Modules"]
    assert len(modules) == 3
    assert module not in modules


async def test_servers_for_browsers(open_rooms: Open) -> None:
    stun, turn = ["stun:a.example", "stun:a.example"], ["turn:b.example", "turn:b.example"]
    async with open_rooms(stunURIs=stun, turnURIs=turn) as wing:
        shown = await document(wing)
        one = await wing.caller()
    assert (shown["StunURIs"], shown["TurnURIs"]) == (stun[:1], turn[:1])
    assert one.me["Turn"]["urls"] is None, "without a secret nobody is given credentials"


async def test_a_policy_that_only_reports(open_rooms: Open, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<!doctype html>")
    policy = "default-src 'none'"
    async with open_rooms(contentSecurityPolicyReportOnly=policy) as wing:
        app = RoomsApp(wing.server._app.wing, Files(tmp_path))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
            headers = (await http.get("/tea")).headers
    assert headers["content-security-policy-report-only"] == policy
    assert "default-src 'self'" in headers["content-security-policy"]


async def test_everybody_may_connect_from_everywhere(open_rooms: Open) -> None:
    async with open_rooms(allowedOrigins=["*"]) as wing:
        for origin in ("https://any.example", "null"):
            await wing.caller(origin=origin)


async def test_users_without_a_mode_show_nothing(open_rooms: Open) -> None:
    async with open_rooms(users={"enabled": True, "allowRegistration": True}) as wing:
        one = await wing.caller(additional_headers={"x-users": "ann"})
        assert one.me["Userid"] == ""
        assert (await patch(wing, one, **signed("ann")))[0] == 403
        assert (await wing.http.post("/api/v1/users", json={})).status_code == 404


async def test_the_proxys_header_over_rest(open_rooms: Open) -> None:
    """Its name, where nobody has chosen another, is the old server's; there is no registration with it."""
    users = {"enabled": True, "mode": "httpheader", "allowRegistration": True}
    async with open_rooms(users=users, trusted_proxies=["127.0.0.1"]) as wing:
        one = await wing.caller()
        body = {"id": one.id, "sid": one.me["Sid"]}
        path = f"/api/v1/sessions/{one.id}/"
        assert (await wing.http.patch(path, json=body)).status_code == 403
        shown = await wing.http.patch(path, json=body, headers={"x-users": "ann"})
        assert shown.json()["userid"] == "ann"
        assert (await wing.http.post("/api/v1/users", json=body)).status_code == 404


async def test_without_users_nobody_is_one(open_rooms: Open) -> None:
    """Nor who was one, with a token from before."""
    async with open_rooms(**SHARED, **SECRETS) as before:
        one = await login(before, "ann")
    async with open_rooms(**SECRETS) as wing:
        again = await wing.caller(query=f"?t={one.me['Token']}")
        assert (again.id, again.me["Userid"]) == (one.id, "")
