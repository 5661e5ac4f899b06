"""Certificates renewed under a server whose clients never notice (F-25 of the list of failures)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from headgate.core.config import file_watch
from headgate.core.errors import ListenError
from headgate.core.events import CertificateRefused, CertificateRenewed
from headgate.core.service import Endpoint
from headgate.server import Server
from tests.core.authority import DAY, Authority, Pair
from tests.media.conftest import Open

ROTATIONS = 20
CLIENTS = 8
PATIENCE = 30.0
REQUEST = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_watch, "POLL_INTERVAL", 0.02)
    monkeypatch.setattr(file_watch, "REST", 0.05)


def encrypted(directory: Path, **changes: object) -> dict[str, Any]:
    return {
        "rtsp_encryption": "strict",
        "rtsp_transports": ["tcp"],
        "rtsps_address": "127.0.0.1:0",
        "rtsp_server_cert": str(directory / "server.crt"),
        "rtsp_server_key": str(directory / "server.key"),
        **changes,
    }


class Clients:
    """Each shakes hands, asks, hangs up, and comes again, and believes one authority alone."""

    def __init__(self, endpoint: Endpoint, authority: Authority) -> None:
        self.endpoint = endpoint
        self.context = authority.context()
        self.failures: list[str] = []
        self.seen: dict[int, int] = {}
        """Handshakes, by the certificate's serial number."""

    async def once(self) -> int:
        reader, writer = await asyncio.open_connection(
            self.endpoint.host, self.endpoint.port, ssl=self.context
        )
        try:
            writer.write(REQUEST)
            assert (await reader.readline()).startswith(b"RTSP/1.0 200")
            return serial(writer)
        finally:
            writer.close()

    async def get(self, number: int) -> None:
        """The engine's thread has yet to hear of it, perhaps: come until it is shown."""
        while await self.once() != number:
            pass

    async def come_again(self) -> None:
        while True:
            try:
                number = await self.once()
            except (OSError, ssl.SSLError, AssertionError) as error:
                self.failures.append(repr(error))
            else:
                self.seen[number] = self.seen.get(number, 0) + 1


def serial(writer: asyncio.StreamWriter) -> int:
    socket: ssl.SSLObject = writer.get_extra_info("ssl_object")
    der = socket.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der).serial_number


async def until(server: Server, kind: type, count: int) -> None:
    with server.bus.subscribe() as news:
        while sum(isinstance(one.event, kind) for one in server.bus.since(0)) < count:
            await news.batch()


def rtsps(server: Server) -> Endpoint:
    return server.registry.service("RTSPS").listeners[0].endpoint


@pytest.mark.parametrize("write", [Pair.write, Pair.replace], ids=["in place", "put in the place of"])
@pytest.mark.parametrize("encryption", ["strict", "optional"])
async def test_rotation_under_handshakes(
    open_server: Open, tmp_path: Path, encryption: str, write: Callable[[Pair, Path], None]
) -> None:
    authority = Authority()
    authority.issue().write(tmp_path)
    given = encrypted(tmp_path, rtsp_encryption=encryption)
    async with asyncio.timeout(PATIENCE), open_server(**given) as server, asyncio.TaskGroup() as tasks:
        clients = Clients(rtsps(server), authority)
        coming = [tasks.create_task(clients.come_again()) for _ in range(CLIENTS)]
        pairs = [authority.issue() for _ in range(ROTATIONS)]
        for number, pair in enumerate(pairs, 1):
            # Before each a pair that is not good: the next one's key is another.
            if number % 4 == 0:
                Pair(authority.issue().chain, pair.key, 0).write(tmp_path)
                await until(server, CertificateRefused, number // 4)
            write(pair, tmp_path)
            await until(server, CertificateRenewed, number)
            await clients.get(pair.serial)
        for task in coming:
            task.cancel()
    assert clients.failures == []
    assert sum(clients.seen.values()) > ROTATIONS
    assert server.rtsp.renewal.renewed == ROTATIONS
    assert server.rtsp.closures.get("tls", 0) == 0


@pytest.mark.parametrize("bad", ["mismatched", "expired", "half-written", "not yet valid", "gone"])
async def test_what_is_no_good_is_never_served(
    open_server: Open, tmp_path: Path, bad: str, caplog: pytest.LogCaptureFixture
) -> None:
    authority = Authority()
    good = authority.issue()
    good.write(tmp_path)
    pair = {
        "mismatched": Pair(authority.issue().chain, good.key, 0),
        "expired": authority.issue(not_before=-DAY, not_after=-timedelta(minutes=1)),
        "half-written": Pair(authority.issue().chain[:-100], good.key, 0),
        "not yet valid": authority.issue(not_before=DAY, not_after=2 * DAY),
        "gone": good,
    }[bad]
    async with asyncio.timeout(PATIENCE), open_server(**encrypted(tmp_path)) as server:
        clients = Clients(rtsps(server), authority)
        pair.write(tmp_path)
        if bad == "gone":
            (tmp_path / "server.key").unlink()
        await until(server, CertificateRefused, 1)
        assert "the certificate stays as it is" in caplog.text
        assert await clients.once() == good.serial
        # What else is configured has nothing to do with it.
        await server.store.patch_global({"readTimeout": "20s"})
        assert await clients.once() == good.serial
        assert server.rtsp.renewal.refused == 1
        new = authority.issue()
        new.write(tmp_path)
        await until(server, CertificateRenewed, 1)
        await clients.get(new.serial)


async def test_a_session_goes_on_with_the_certificate_it_began_with(
    open_server: Open, tmp_path: Path
) -> None:
    authority = Authority()
    first = authority.issue()
    first.write(tmp_path)
    async with asyncio.timeout(PATIENCE), AsyncExitStack() as stack:
        server = await stack.enter_async_context(open_server(**encrypted(tmp_path)))
        endpoint = rtsps(server)
        reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port, ssl=authority.context())
        stack.callback(writer.close)
        # One that has connected and not yet begun its handshake is nobody's concern either.
        _, early = await asyncio.open_connection(endpoint.host, endpoint.port)
        stack.callback(early.close)
        writer.write(REQUEST)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"RTSP/1.0 200")
        authority.issue().write(tmp_path)
        await until(server, CertificateRenewed, 1)
        writer.write(REQUEST)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"RTSP/1.0 200")
        await early.start_tls(authority.context(), server_hostname="127.0.0.1")
        assert serial(early) == first.serial


async def test_other_files_are_configured(open_server: Open, tmp_path: Path) -> None:
    authority, other = Authority(), tmp_path / "other"
    authority.issue().write(tmp_path)
    other.mkdir()
    second = authority.issue()
    second.write(other)
    moved = {"rtspServerCert": str(other / "server.crt"), "rtspServerKey": str(other / "server.key")}
    async with asyncio.timeout(PATIENCE), open_server(**encrypted(tmp_path)) as server:
        endpoint = rtsps(server)
        clients = Clients(endpoint, authority)
        await server.store.patch_global(moved)
        assert rtsps(server) == endpoint
        await clients.get(second.serial)
        third = authority.issue()
        third.write(other)
        await until(server, CertificateRenewed, 1)
        await clients.get(third.serial)
        authority.issue(not_before=-DAY, not_after=-timedelta(minutes=1)).write(tmp_path)
        with pytest.raises(ListenError, match="has expired on"):
            await server.store.patch_global(
                {key: value.replace("/other", "") for key, value in moved.items()}
            )
        assert await clients.once() == third.serial


async def test_one_that_has_expired_is_better_than_no_server(
    open_server: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Authority().issue(not_before=-DAY, not_after=-timedelta(minutes=1)).write(tmp_path)
    async with open_server(**encrypted(tmp_path)):
        assert "has expired on" in caplog.text


@pytest.mark.parametrize("change", ["readTimeout", "rtspsAddress"])
async def test_one_that_is_renewed_while_something_else_changes(
    open_server: Open, tmp_path: Path, change: str
) -> None:
    authority = Authority()
    authority.issue().write(tmp_path)
    new = authority.issue()

    class Slow:
        """Takes so long to prepare that the files change meanwhile."""

        async def prepare(self, _: object) -> None:
            new.write(tmp_path)
            await server.rtsp.renewal.look()

    async with asyncio.timeout(PATIENCE), open_server(**encrypted(tmp_path)) as server:
        before = rtsps(server)
        server.store.register(Slow())
        given = {"readTimeout": "20s", "rtspsAddress": "127.0.0.1:00"}
        await server.store.patch_global({change: given[change]})
        assert (rtsps(server) == before) == (change == "readTimeout")
        await Clients(rtsps(server), authority).get(new.serial)
        assert server.rtsp.renewal.present is not None
        assert server.rtsp.renewal.present.chain == new.chain
