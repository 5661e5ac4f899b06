"""The rooms' listener while its address, its certificate and whom it believes change: nobody notices."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidMessage

from headgate.core.config import file_watch
from headgate.core.events import CertificateRefused, CertificateRenewed, ServiceMoved
from headgate.core.service import Endpoint
from headgate.server import Server
from tests.core.authority import DAY, Authority, Pair
from tests.rooms.caller import Caller
from tests.rooms.test_server import House, house, rooms

PATIENCE = 30.0


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_watch, "POLL_INTERVAL", 0.02)
    monkeypatch.setattr(file_watch, "REST", 0.05)


@pytest.fixture
def authority() -> Authority:
    return Authority()


def tls(directory: Path, **keys: object) -> str:
    files = {"serverCert": directory / "server.crt", "serverKey": directory / "server.key"}
    return rooms(**{"encryption": "yes", **files, **keys})


def endpoint(at: House) -> Endpoint:
    found = at.server.rooms.endpoint
    assert found is not None
    return found


def secure(at: House) -> str:
    return at.ws.replace("ws://", "wss://")


async def until(server: Server, kind: type, count: int) -> None:
    with server.bus.subscribe() as news:
        while sum(isinstance(one.event, kind) for one in server.bus.since(0)) < count:
            await news.batch()


def moves(server: Server) -> int:
    return sum(isinstance(one.event, ServiceMoved) for one in server.bus.since(0))


async def test_a_renewed_certificate_is_shown_and_nobody_notices(
    tmp_path: Path, authority: Authority
) -> None:
    first, second, other = authority.issue(), authority.issue(), authority.issue()
    first.write(tmp_path)
    async with asyncio.timeout(PATIENCE), house(tmp_path, tls(tmp_path)) as at:
        where = at.server.rooms.endpoint
        assert await authority.shown_at(endpoint(at)) == first.serial
        async with Caller.connect(secure(at), ssl=authority.context()) as one:
            await one.hello()
            Pair(other.chain, first.key, 0).write(tmp_path)
            await until(at.server, CertificateRefused, 1)
            assert await authority.shown_at(endpoint(at)) == first.serial
            second.write(tmp_path)
            await until(at.server, CertificateRenewed, 1)
            assert await authority.shown_at(endpoint(at)) == second.serial
            await one.silence()
            async with Caller.connect(secure(at), ssl=authority.context()) as late:
                await late.hello()
                assert (await one.data("Joined"))["Id"] == late.id
        renewal = at.server.rooms.renewal
        assert (renewal.renewed, renewal.refused) == (1, 1)
        assert (at.server.rooms.endpoint, moves(at.server)) == (where, 0)
        metrics = (await at.operator.get("/metrics")).text
        assert 'headgate_certificate_renewals_total{service="Rooms"} 1' in metrics


async def test_it_is_looked_at_on_demand(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_watch, "POLL_INTERVAL", 3600.0)
    authority.issue().write(tmp_path)
    async with asyncio.timeout(PATIENCE), house(tmp_path, tls(tmp_path)) as at:
        new = authority.issue()
        new.write(tmp_path)
        at.server.reload()
        await until(at.server, CertificateRenewed, 1)
        assert await authority.shown_at(endpoint(at)) == new.serial


async def test_connections_that_wait_while_it_is_renewed_are_served(
    tmp_path: Path, authority: Authority
) -> None:
    authority.issue().write(tmp_path)
    async with asyncio.timeout(PATIENCE), house(tmp_path, tls(tmp_path)) as at:
        connecting = [asyncio.create_task(self_of(secure(at), authority.context())) for _ in range(40)]
        for _ in range(3):
            authority.issue().replace(tmp_path)
            await at.server.rooms.renewal.look()
        assert len({await one for one in connecting}) == 40
        assert at.server.rooms.renewal.renewed >= 3


async def self_of(url: str, context: ssl.SSLContext) -> str:
    async with Caller.connect(url, ssl=context) as one:
        return one.id


async def test_other_keys_under_the_same_port(tmp_path: Path, authority: Authority) -> None:
    """The port is a fixed one, as everybody's is."""
    authority.issue().write(tmp_path)
    async with asyncio.timeout(PATIENCE), house(tmp_path, tls(tmp_path)) as at:
        port = endpoint(at).port
        fixed = {"address": f"127.0.0.1:{port}"}
        assert await at.change(tls(tmp_path, **fixed))
        async with Caller.connect(secure(at), ssl=authority.context()) as one:
            assert await at.change(tls(tmp_path, **fixed, users="{enabled: yes, mode: sharedsecret}"))
            await one.silence()
            elsewhere = tmp_path / "elsewhere"
            elsewhere.mkdir()
            second = authority.issue()
            second.write(elsewhere)
            assert await at.change(tls(elsewhere, **fixed))
            assert await authority.shown_at(endpoint(at)) == second.serial
            before = moves(at.server)
            assert await at.change(rooms(**fixed))
            assert moves(at.server) == before + 1
            async with Caller.connect(at.ws) as plain:
                await plain.silence()
            assert at.server.rooms.renewal.present is None
            assert await at.change(tls(tmp_path, **fixed))
            with contextlib.suppress(ConnectionError), pytest.raises(InvalidMessage):
                async with Caller.connect(at.ws):
                    pass
            await one.silence()
        assert endpoint(at).port == port


async def test_another_address_with_the_same_port(tmp_path: Path) -> None:
    async with asyncio.timeout(PATIENCE), house(tmp_path, rooms()) as at, Caller.connect(at.ws) as one:
        port = endpoint(at).port
        assert await at.change(rooms(address=f'":{port}"'))
        async with Caller.connect(f"ws://[::1]:{port}/ws"):
            await one.silence()
        assert await at.change(rooms(address=f"127.0.0.1:{port}"))
        async with Caller.connect(at.ws):
            await one.silence()


@pytest.mark.parametrize("mistake", ["nothing", "expired"])
async def test_a_certificate_that_is_none_is_not_gone_over_to(
    tmp_path: Path, authority: Authority, mistake: str
) -> None:
    if mistake == "expired":
        authority.issue(not_before=-DAY, not_after=-DAY / 4).write(tmp_path)
    async with house(tmp_path, rooms()) as at:
        assert not await at.change(tls(tmp_path))
        async with Caller.connect(at.ws) as one:
            await one.silence()


async def test_at_the_start_an_expired_one_is_all_there_is(
    tmp_path: Path, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    authority.issue(not_before=-DAY, not_after=-DAY / 4).write(tmp_path)
    async with house(tmp_path, tls(tmp_path)) as at:
        assert "has expired on" in caplog.text
        context = authority.context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        async with Caller.connect(secure(at), ssl=context) as one:
            assert (await one.hello())["Type"] == "Welcome"


@pytest.fixture
def client(tmp_path: Path, authority: Authority) -> ssl.SSLContext:
    """Who has a certificate of the authority, in the name of 127.0.0.1."""
    directory = tmp_path / "client"
    directory.mkdir()
    authority.issue().write(directory)
    context = authority.context()
    context.load_cert_chain(directory / "server.crt", directory / "server.key")
    return context


async def test_a_client_that_shows_a_certificate_of_its_own(
    tmp_path: Path, authority: Authority, client: ssl.SSLContext
) -> None:
    authority.issue().write(tmp_path)
    (tmp_path / "authority.crt").write_bytes(authority.pem)
    (tmp_path / "stranger.crt").write_bytes(Authority().pem)
    users = "{{enabled: yes, mode: certificate, certificateCertificate: {}}}"
    known = tls(tmp_path, users=users.format(tmp_path / "authority.crt"))
    async with asyncio.timeout(PATIENCE), house(tmp_path, known) as at:
        async with Caller.connect(secure(at), ssl=client) as one:
            assert one.me["Userid"] == "127.0.0.1"
            url = f"https://{at.server.rooms.endpoint}/api/v1/sessions/{one.id}/"
            async with Caller.connect(secure(at), ssl=authority.context()) as guest:
                assert guest.me["Userid"] == ""
                async with httpx.AsyncClient(verify=client, trust_env=False) as http:
                    body = {"id": guest.id, "sid": guest.me["Sid"]}
                    answer = await http.patch(url.replace(one.id, guest.id), json=body)
                    assert answer.json()["userid"] == "127.0.0.1"
                async with httpx.AsyncClient(verify=authority.context(), trust_env=False) as http:
                    assert (await http.patch(url.replace(one.id, guest.id), json=body)).status_code == 403
        assert await at.change(tls(tmp_path, users=users.format(tmp_path / "stranger.crt")))
        with pytest.raises((ssl.SSLError, ConnectionError, InvalidMessage)):
            async with Caller.connect(secure(at), ssl=client):
                pass
        async with Caller.connect(secure(at), ssl=authority.context()) as guest:
            assert guest.me["Userid"] == ""


async def test_who_signs_those_is_read_anew_when_its_file_changes(
    tmp_path: Path, authority: Authority, client: ssl.SSLContext
) -> None:
    authority.issue().write(tmp_path)
    signer = tmp_path / "authority.crt"
    signer.write_bytes(authority.pem)
    users = f"{{enabled: yes, mode: certificate, certificateCertificate: {signer}}}"
    async with asyncio.timeout(PATIENCE), house(tmp_path, tls(tmp_path, users=users)) as at:
        async with Caller.connect(secure(at), ssl=client) as one:
            assert one.me["Userid"] == "127.0.0.1"
            signer.write_bytes(b"nobody")
            await until(at.server, CertificateRefused, 1)
            async with Caller.connect(secure(at), ssl=client) as other:
                assert other.me["Userid"] == "127.0.0.1"
            signer.write_bytes(Authority().pem)
            await until(at.server, CertificateRenewed, 1)
            with pytest.raises((ssl.SSLError, ConnectionError, InvalidMessage)):
                async with Caller.connect(secure(at), ssl=client):
                    pass
            await one.hello()
        (refused,) = (e.event for e in at.server.bus.since(0) if isinstance(e.event, CertificateRefused))
        assert refused.mistake.startswith(f"Rooms: no authority in {signer} (rooms.users.certificateCert")
