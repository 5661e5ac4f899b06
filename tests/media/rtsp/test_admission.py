"""Who may publish and read over RTSP."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import re
import time
from typing import Any

import pytest

from headgate.core.auth import Grant
from headgate.core.auth.access import FAILURE_PAUSE
from headgate.core.auth.authorization import Algorithm, Digest, DigestProof
from headgate.core.events import SessionClosed
from headgate.core.session import CloseReason
from headgate.media.rtsp import admission, nonce
from headgate.media.rtsp.message import Response
from headgate.server import Server
from tests.core.auth.servers import Backend, serve
from tests.core.hooks.notes import until
from tests.media.conftest import Open
from tests.media.rtsp.dialogue import SDP
from tests.media.rtsp.live import Client
from tests.media.rtsp.test_server import happened, session_of

USERS = [
    {"user": "bob", "pass": "secret", "permissions": [{"action": "read", "path": "cam"}]},
    {"user": "eve", "pass": "secret", "permissions": [{"action": "publish", "path": "~^cam"}]},
]


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "FAILURE_PAUSE", 0.0)


def basic(user: str, password: str = "secret") -> str:
    return "Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def challenges(answer: Response) -> list[str]:
    """Those of several headers come as one here, joined by commas."""
    return re.split(r", (?=Digest |Basic )", answer.header("WWW-Authenticate") or "")


def digest(client: Client, challenge: str, method: str, **changes: Any) -> str:
    """An Authorization header that answers a challenge; `changes` by the Digest's attributes."""
    named = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge))
    given = Digest(
        **{
            "user": "bob",
            "realm": named["realm"],
            "nonce": named["nonce"],
            "uri": f"{client.base}/cam",
            "response": "",
            "algorithm": Algorithm(named["algorithm"]),
            "qop": "auth",
            "count": 1,
            "cnonce": "abc",
            **changes,
        }
    )
    password = "secret"
    hashed = given.algorithm.digest
    secret = hashed(f"{given.user}:{given.realm}:{password}")
    about = hashed(f"{method}:{given.uri}")
    middle = f"{given.nonce}:{given.count:08x}:{given.cnonce}:auth" if given.qop else given.nonce
    response = hashed(f"{secret}:{middle}:{about}")
    proof = DigestProof(digest=dataclasses.replace(given, response=response), method=method)
    assert proof.proves(password=password)
    qop = f', qop=auth, nc={given.count:08x}, cnonce="{given.cnonce}"' if given.qop else ""
    return (
        f'Authorization: Digest username="{given.user}", realm="{given.realm}", nonce="{given.nonce}",'
        f' uri="{given.uri}", response="{response}", algorithm={given.algorithm}{qop}'
    )


async def publish(client: Client) -> None:
    assert (await client.ask("ANNOUNCE", "cam", basic("eve"), body=SDP)).status == 200
    for track in range(2):
        answer = await client.ask(
            "SETUP", f"cam/streamid={track}", "Transport: RTP/AVP/TCP;unicast;mode=record"
        )
        assert answer.status == 200
    assert (await client.ask("RECORD", "cam")).status == 200


async def read(client: Client, *headers: str) -> Response:
    answer = await client.ask("SETUP", "cam/trackID=0", "Transport: RTP/AVP/TCP;unicast", *headers)
    return answer if answer.status != 200 else await client.ask("PLAY", "cam")


async def test_first_a_challenge_then_a_user(open_server: Open) -> None:
    async with open_server(auth_internal_users=USERS) as server, Client.connect(server) as client:
        answer = await client.ask("DESCRIBE")
        assert (answer.status, challenges(answer)) == (401, ['Basic realm="headgate"'])
        answer = await client.ask("ANNOUNCE", "cam", basic("eve"), body=SDP)
        assert answer.status == 200
        assert session_of(server, client).user == "eve"


@pytest.mark.parametrize(
    ("path", "header"),
    [
        ("cam", basic("bob", "wrong")),
        ("cam", basic("nobody")),
        ("other", basic("bob")),
        ("cam", "Authorization: Basic !"),
        ("cam", "Authorization: Nonsense"),
    ],
)
@pytest.mark.usefixtures("no_pause")
async def test_a_stranger_is_not_told_what_was_wrong(open_server: Open, path: str, header: str) -> None:
    async with open_server(auth_internal_users=USERS) as server, Client.connect(server) as client:
        answer = await client.ask("DESCRIBE", path, header)
        assert (answer.status, challenges(answer)) == (401, ['Basic realm="headgate"'])
        assert answer.body == b""
        await client.ended()
        assert server.registry.sessions() == []


async def test_wrong_credentials_wait_and_nobody_else(open_server: Open) -> None:
    async with open_server(auth_internal_users=USERS) as server, Client.connect(server) as client:
        start = time.monotonic()
        asking = asyncio.ensure_future(client.ask("DESCRIBE", "cam", basic("bob", "x")))
        async with Client.connect(server) as other:
            assert (await other.ask("OPTIONS")).status == 200
        assert time.monotonic() - start < FAILURE_PAUSE
        assert (await asking).status == 401
        assert time.monotonic() - start >= FAILURE_PAUSE


@pytest.mark.parametrize("algorithm", list(Algorithm))
@pytest.mark.parametrize("qop", ["auth", ""])
async def test_digest(open_server: Open, algorithm: Algorithm, qop: str) -> None:
    settings = {"auth_internal_users": USERS, "rtsp_auth_methods": ["digest"]}
    async with (
        open_server(**settings, paths={"cam": {}}) as server,
        Client.connect(server) as client,
    ):
        answer = await client.ask("DESCRIBE")
        offered = challenges(answer)
        assert [re.findall("algorithm=([^,]+)", one) for one in offered] == [["SHA-256"], ["MD5"]]
        (challenge,) = [one for one in offered if f"algorithm={algorithm}," in one]
        answer = await client.ask("DESCRIBE", "cam", digest(client, challenge, "DESCRIBE", qop=qop))
        assert answer.status == 404, "let in, and nobody publishes"
        answer = await client.ask("DESCRIBE", "cam", basic("bob"))
        assert answer.status == 401, "Basic was not asked for"


@pytest.mark.usefixtures("no_pause")
@pytest.mark.parametrize("changes", [{"count": 1}, {"uri": "rtsp://h/other"}, {"uri": "rtsp://h/camera"}])
async def test_a_digest_that_was_heard_elsewhere(open_server: Open, changes: dict[str, Any]) -> None:
    settings = {"auth_internal_users": USERS, "rtsp_auth_methods": ["digest"]}
    async with open_server(**settings) as server, Client.connect(server) as client:
        challenge = challenges(await client.ask("DESCRIBE"))[0]
        good = digest(client, challenge, "DESCRIBE")
        assert (await client.ask("DESCRIBE", "cam", good)).status == 404
        replayed = digest(client, challenge, "DESCRIBE", **{"count": 2, **changes})
        assert (await client.ask("DESCRIBE", "cam", replayed)).status == 401
        await client.ended()


async def test_a_nonce_is_its_connections_and_grows_old(
    open_server: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"auth_internal_users": USERS, "rtsp_auth_methods": ["digest"]}
    async with (
        open_server(**settings) as server,
        Client.connect(server) as client,
        Client.connect(server) as other,
    ):
        challenge = challenges(await client.ask("DESCRIBE"))[0]
        answer = await other.ask("DESCRIBE", "cam", digest(other, challenge, "DESCRIBE"))
        assert answer.status == 401
        assert all("stale=true" in one for one in challenges(answer))
        monkeypatch.setattr(nonce, "LIFETIME", 0.0)
        answer = await client.ask("DESCRIBE", "cam", digest(client, challenge, "DESCRIBE"))
        assert answer.status == 401
        fresh = challenges(answer)[0]
        assert "stale=true" in fresh
        assert fresh != challenge
        monkeypatch.setattr(nonce, "LIFETIME", 300.0)
        assert (await client.ask("DESCRIBE", "cam", digest(client, fresh, "DESCRIBE"))).status == 404


@pytest.mark.parametrize(
    "path",
    [
        "cam//",
        "/cam",
        "cam/../cam",
        "./cam",
        "cam%2f",
        "%2fcam",
        "cam%00",
        "cam;x",
        "x/../cam",
        "CAM",
        "c%61m/",
        "cam%252f",
        "cam/.",
        "cam/%2e%2e/secret",
        "cam%5csecret",
        "cam/trackID=0/secret",
    ],
)
@pytest.mark.usefixtures("no_pause")
async def test_no_other_form_of_a_path_leads_further(open_server: Open, path: str) -> None:
    """S-28: bob may read cam and nothing else."""
    async with open_server(auth_internal_users=USERS) as server, Client.connect(server) as publisher:
        await publish(publisher)
        async with Client.connect(server) as client:
            answer = await client.ask("DESCRIBE", path, basic("bob"))
            canonical = path in {"c%61m/", "cam%2f"}
            assert answer.status in ({200} if canonical else {400, 401})


@pytest.mark.usefixtures("no_pause")
async def test_a_setup_without_describe_is_judged(open_server: Open) -> None:
    async with open_server(auth_internal_users=USERS) as server, Client.connect(server) as publisher:
        await publish(publisher)
        async with Client.connect(server) as client:
            assert (await read(client)).status == 401
            assert (await read(client, basic("bob"))).status == 200
            assert session_of(server, client).user == "bob"


async def end_of(server: Server, user: str) -> CloseReason:
    (session,) = [one for one in server.registry.sessions() if one.user == user]
    while True:
        closed = await happened(server, SessionClosed)
        for one in closed:
            if one.session == session.id:
                return one.reason


async def test_access_that_runs_out_ends_the_session(open_server: Open) -> None:
    async with open_server(auth_internal_users=USERS) as server, Client.connect(server) as publisher:
        await publish(publisher)
        async with Client.connect(server) as reader:
            await read(reader, basic("bob"))
            session = session_of(server, reader)
            lease: Any = session.lease
            lease.renew(Grant(user="bob", expires=time.time() + 0.05))
            assert await end_of(server, "bob") is CloseReason.EXPIRED
            await reader.ended()
        assert [one.user for one in server.registry.sessions()] == ["eve"]


@pytest.mark.usefixtures("no_pause")
async def test_access_that_is_taken_away_ends_the_session(open_server: Open) -> None:
    async with open_server(auth_internal_users=USERS) as server, Client.connect(server) as publisher:
        await publish(publisher)
        async with Client.connect(server) as reader:
            await read(reader, basic("bob"))
            await server.leases.recheck()
            assert len(server.registry.sessions()) == 2, "nothing has changed"
            users = server.configuration.global_.document()["authInternalUsers"]
            await server.store.patch_global({"authInternalUsers": users[1:]})
            await reader.ended()
            closed = await happened(server, SessionClosed)
            assert [one.reason for one in closed] == [CloseReason.REVOKED]
            assert [one.user for one in server.registry.sessions()] == ["eve"]


async def test_twenty_readers_wait_for_a_slow_backend_together(open_server: Open) -> None:
    backend = Backend()
    async with serve(backend.answer) as url:
        settings = {"auth_method": "http", "auth_http_address": url}
        async with open_server(**settings) as server, Client.connect(server) as publisher:
            await publish(publisher)
            backend.delay = 1.0
            async with asyncio.TaskGroup() as tasks:
                start = time.monotonic()
                done = [tasks.create_task(one_join(server, number)) for number in range(20)]
            assert time.monotonic() - start <= 2 * backend.delay
            assert [task.result() for task in done] == [200] * 20
            assert {asked["protocol"] for asked in backend.asked} == {"rtsp"}


async def one_join(server: Server, number: int) -> int:
    async with Client.connect(server) as client:
        return (await client.ask("DESCRIBE", "cam", basic(f"user{number}"))).status


async def test_what_is_asked_for_follows_the_configuration(open_server: Open) -> None:
    async with open_server(auth_internal_users=USERS) as server:
        for methods in (["digest"], ["basic"]):
            await server.store.patch_global({"rtspAuthMethods": methods})
            async with Client.connect(server) as reader:
                offered = {
                    one.partition(" ")[0].lower() for one in challenges(await reader.ask("DESCRIBE", "cam"))
                }
            assert offered == set(methods)


async def test_access_that_is_taken_away_while_a_request_waits(open_server: Open, no_pause: None) -> None:
    conf = {"run_on_demand": "sleep 600", "run_on_demand_start_timeout": 60}
    async with (
        open_server(auth_internal_users=USERS, paths={"cam": conf}) as server,
        Client.connect(server) as reader,
        Client.connect(server) as publisher,
        asyncio.TaskGroup() as tasks,
    ):
        setup = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"
        joining = tasks.create_task(reader.ask("SETUP", "cam/trackID=0", setup, basic("bob")))
        await until(lambda: server.runner.running)
        users = server.configuration.global_.document()["authInternalUsers"]
        await server.store.patch_global({"authInternalUsers": users[1:]})
        await publish(publisher)
        assert (await joining).status == 401
        assert [one.user for one in server.registry.sessions()] == ["eve"]
