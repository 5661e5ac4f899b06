"""Users: over REST, and then in the channelling protocol."""

from __future__ import annotations

import base64
import datetime
import gc
import hmac
import time
import types
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from headgate.core.config.rooms_conf import RoomsConf
from headgate.rooms.facts import Facts
from headgate.rooms.rest import users
from tests.rooms.caller import Caller
from tests.rooms.conftest import Open, Wing

SECRET = "0123456789abcdef"
USERS = {"enabled": True, "mode": "sharedsecret", "sharedsecretSecret": SECRET, "allowRegistration": True}
SHARED = {"users": USERS}


def signed(userid: str, *, expires: float | str = 60.0, secret: str = SECRET) -> dict[str, str]:
    moment = expires if isinstance(expires, str) else str(int(time.time() + expires))
    combo = f"{moment}:{userid}"
    digest = hmac.digest(secret.encode(), combo.encode(), "sha256")
    return {"useridcombo": combo, "secret": base64.b64encode(digest).decode()}


async def patch(wing: Wing, caller: Caller, **given: Any) -> tuple[int, dict[str, Any]]:
    body = {"id": caller.id, "sid": caller.me["Sid"], **given}
    answer = await wing.http.patch(f"/api/v1/sessions/{caller.id}/", json=body)
    return answer.status_code, answer.json()


async def login(wing: Wing, userid: str) -> Caller:
    caller = await wing.caller()
    status, body = await patch(wing, caller, **signed(userid))
    assert status == 200
    inner = {"Userid": userid, "Nonce": body["nonce"]}
    await caller.send("Authentication", {"Type": "Authentication", "Authentication": inner}, iid="a")
    me = await caller.next("Self")
    assert me["Iid"] == "a"
    caller.me = me["Data"]
    assert caller.me["Userid"] == userid
    return caller


async def test_from_a_secret_to_a_user(open_rooms: Open) -> None:
    async with open_rooms(**SHARED) as wing:
        watcher = await wing.caller()
        await watcher.hello()
        one = await wing.caller()
        await one.hello()
        await watcher.next("Joined")
        status, body = await patch(wing, one, **signed("ann:ignored"))
        assert (status, body["success"], body["userid"]) == (200, True, "ann")
        inner = {"Userid": "bob", "Nonce": body["nonce"]}
        await one.send("Authentication", {"Type": "Authentication", "Authentication": inner})
        assert await one.error() == "invalid_session_token"
        inner["Userid"] = "ann"
        await one.send("Authentication", {"Type": "Authentication", "Authentication": inner})
        me = await one.data("Self")
        assert me["Userid"] == "ann"
        assert len(base64.b64decode(me["Suserid"])) == 32
        told = await watcher.data("Status")
        assert (told["Userid"], told["Rev"]) == ("ann", 2)
        await one.send("Authentication", {"Type": "Authentication", "Authentication": inner})
        assert await one.error() == "already_authenticated"
        assert (await patch(wing, one, **signed("ann")))[0] == 403
        back = await wing.caller(query=f"?t={me['Token']}")
        assert (back.id, back.me["Userid"], back.me["Suserid"]) == (one.id, "ann", me["Suserid"])
        assert next(s.user for s in wing.registry.sessions() if s.user) == "ann"


async def test_nothing_is_kept_of_what_was_refused(open_rooms: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that is raised again keeps the frames, and the requests in them, of every time before."""
    monkeypatch.setattr(users, "DENIAL_DELAY", 0.0)
    async with open_rooms(**SHARED) as wing:
        one = await wing.caller()
        for _ in range(5):
            assert (await patch(wing, one, **signed("ann", expires=-60.0)))[0] == 403
        gc.collect()
        kept = [one for one in gc.get_objects() if isinstance(one, types.TracebackType)]
        assert not [one for one in kept if one.tb_frame.f_code is users.show_user.__code__]


async def test_a_nonce_is_good_once_and_the_last_one_counts(open_rooms: Open) -> None:
    async with open_rooms(**SHARED) as wing:
        one = await wing.caller()
        first = (await patch(wing, one, **signed("ann")))[1]["nonce"]
        second = (await patch(wing, one, **signed("ann")))[1]["nonce"]
        for nonce in (first, "", "x"):
            inner = {"Userid": "ann", "Nonce": nonce}
            await one.send("Authentication", {"Type": "Authentication", "Authentication": inner})
            assert await one.error() == "invalid_session_token"
        inner = {"Userid": "ann", "Nonce": second}
        await one.send("Authentication", {"Type": "Authentication", "Authentication": inner})
        await one.next("Self")


@pytest.mark.parametrize(
    "given",
    [
        signed("ann", expires=-60.0),
        signed("ann", secret="another secret"),
        signed("ann", expires="soon"),
        signed("ann", expires="9" * 30),
        signed("ann", expires="٣" * 10),
        {"useridcombo": "", "secret": ""},
        {"useridcombo": "99999999999", "secret": "x"},
        {"useridcombo": 7, "secret": None},
        {**signed("ann"), "sid": "wrong"},
        {**signed("ann"), "sid": ""},
        {**signed("ann"), "id": "wrong"},
    ],
)
async def test_what_proves_nothing(open_rooms: Open, given: dict[str, Any]) -> None:
    async with open_rooms(**SHARED) as wing:
        one = await wing.caller()
        status, body = await patch(wing, one, **given)
        assert status == 403
        assert body == {
            "code": "session_patch_failed",
            "message": "Failed to patch session",
            "success": False,
        }


async def test_somebody_elses_session(open_rooms: Open) -> None:
    async with open_rooms(**SHARED) as wing:
        one, other = await wing.callers(2)
        assert (await patch(wing, one, sid=other.me["Sid"], **signed("ann")))[0] == 403
        answer = await wing.http.patch(f"/api/v1/sessions/{other.id}/", content=b"{")
        assert answer.status_code == 403


async def test_registration(open_rooms: Open) -> None:
    async with open_rooms(**SHARED, server_realm="example") as wing:
        one = await wing.caller()
        body = {"id": one.id, "sid": one.me["Sid"]}
        account = (await wing.http.post("/api/v1/users", json=body)).json()
        assert account["userid"].endswith("@example")
        assert account["useridcombo"] == f"{account['timestamp']}:{account['userid']}"
        assert account["timestamp"] > time.time() + 371 * 86400
        inner = {"Userid": account["userid"], "Nonce": account["nonce"]}
        await one.send("Authentication", {"Type": "Authentication", "Authentication": inner})
        assert (await one.data("Self"))["Userid"] == account["userid"]
        other = await wing.caller()
        shown = {"useridcombo": account["useridcombo"], "secret": account["secret"]}
        assert (await patch(wing, other, **shown))[1]["userid"] == account["userid"]
        form = {"id": other.id, "sid": other.me["Sid"]}
        assert (await wing.http.post("/api/v1/users", data=form)).status_code == 200

        async def refused(**options: Any) -> tuple[int, str, str]:
            answer = await wing.http.post("/api/v1/users", **options)
            told = answer.json()
            return answer.status_code, told["code"], told["message"]

        assert await refused(json={}) == (400, "users_bad_request", "Incomplete request")
        assert await refused(content=b"{", headers={"content-type": "application/json"}) == (
            400,
            "users_bad_request",
            "Failed to parse request",
        )
        assert (await refused(content=b"x", headers={"content-type": "text/plain"}))[
            1
        ] == "users_invalid_request"
        assert (await refused(json={**body, "sid": "x"}))[:2] == (403, "users_invalid_session")
        assert (await refused(json=body))[:2] == (400, "users_request_failed")


@pytest.mark.parametrize("settings", [{}, {"users": {"enabled": True, "mode": "sharedsecret"}}])
async def test_where_there_is_no_registration(open_rooms: Open, settings: dict[str, Any]) -> None:
    async with open_rooms(**settings) as wing:
        answer = await wing.http.post("/api/v1/users", json={})
        assert (answer.status_code, answer.headers["content-type"][:10]) == (404, "text/plain")


async def test_where_there_are_no_users(wing: Wing) -> None:
    one = await wing.caller()
    answer = await wing.http.patch(f"/api/v1/sessions/{one.id}/", json={})
    assert (answer.status_code, answer.headers["content-type"][:10]) == (404, "text/plain")


async def test_a_proxys_header(open_rooms: Open) -> None:
    users = {"enabled": True, "mode": "httpheader", "httpheaderHeader": "X-Userid"}
    headers = {"x-userid": "ann"}
    async with open_rooms(users=users, trusted_proxies=["127.0.0.1"]) as wing:
        one = await wing.caller(additional_headers=headers)
        assert one.me["Userid"] == "ann"
        assert one.me["Suserid"]
        for name, sent in (("Zoë Öz 🫖", "Zoë Öz 🫖".encode()), ("Zoë", "Zoë".encode("latin-1"))):
            facts = Facts.of(
                {
                    "type": "http",
                    "scheme": "http",
                    "client": ("127.0.0.1", 1),
                    "headers": [(b"x-userid", sent)],
                },
                wing.server.hub.settings,
            )
            assert wing.server.door.accounts.at_connection(facts) == name
    async with open_rooms(users=users, trusted_proxies=["192.0.2.1"]) as wing:
        one = await wing.caller(additional_headers=headers)
        assert one.me["Userid"] == ""


def test_a_header_that_anybody_could_send_is_refused() -> None:
    with pytest.raises(ValueError, match="trustedProxies"):
        RoomsConf.model_validate({"users": {"enabled": True, "mode": "httpheader"}})


def certificate(name: str) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode().strip().replace("\n", " ")


def of_version_4(written: str) -> str:
    """There is no such version."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    der = base64.b64decode(written.removeprefix(begin).removesuffix(end))
    version = bytes.fromhex("a0030201")
    at = der.index(version) + len(version)
    return f"{begin} {base64.b64encode(der[:at] + bytes([3]) + der[at + 1 :]).decode()} {end}"


async def test_a_certificate_that_a_proxy_has_verified(open_rooms: Open) -> None:
    users = {
        "enabled": True,
        "mode": "certificate",
        "certificateVerifiedHeader": "x-verified",
        "certificateVerifiedHeaderValue": "SUCCESS",
        "certificateCertificateHeader": "x-cert",
    }
    good = {"x-verified": "SUCCESS", "x-cert": certificate("ann")}
    async with open_rooms(users=users, trusted_proxies=["127.0.0.1"]) as wing:
        assert (await wing.caller(additional_headers=good)).me["Userid"] == "ann"
        for bad in (
            {**good, "x-verified": "NONE"},
            {**good, "x-cert": "garbage"},
            {**good, "x-cert": of_version_4(good["x-cert"])},
            {"x-verified": "SUCCESS"},
        ):
            assert (await wing.caller(additional_headers=bad)).me["Userid"] == ""
    async with open_rooms(users=users) as wing:
        assert (await wing.caller(additional_headers=good)).me["Userid"] == ""
