"""Certificates of the relay's interfaces, renewed while clients come."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from headgate.core.config import file_watch
from headgate.core.config.change import Change
from headgate.core.errors import ListenError
from headgate.core.events import CertificateRefused, CertificateRenewed
from headgate.server import Server
from tests.core.authority import Authority, Pair
from tests.turn.live import open_relay, turn

PATIENCE = 30.0


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_watch, "POLL_INTERVAL", 0.02)
    # Longer than it takes to write both files on a busy machine: half of a pair is refused once more.
    monkeypatch.setattr(file_watch, "REST", 0.3)


def over(transport: str, directory: Path) -> dict[str, str]:
    cert, key = str(directory / "server.crt"), str(directory / "server.key")
    return {"transport": transport, "bind": "127.0.0.1:0", "cert": cert, "key": key}


async def until(server: Server, kind: type, count: int) -> None:
    with server.bus.subscribe() as news:
        while sum(isinstance(one.event, kind) for one in server.bus.since(0)) < count:
            await news.batch()


async def test_what_is_good_is_shown_and_what_is_not_is_left(tmp_path: Path) -> None:
    authority = Authority()
    first, second, other = authority.issue(), authority.issue(), authority.issue()
    first.write(tmp_path)
    interfaces = [over("tls", tmp_path), over("dtls", tmp_path)]
    async with asyncio.timeout(PATIENCE), open_relay(interfaces=interfaces) as server:
        endpoint = server.turn.interfaces[0].endpoint
        assert await authority.shown_at(endpoint) == first.serial
        Pair(other.chain, first.key, 0).write(tmp_path)
        await until(server, CertificateRefused, 2)
        assert await authority.shown_at(endpoint) == first.serial
        second.write(tmp_path)
        await until(server, CertificateRenewed, 2)
        while await authority.shown_at(endpoint) != second.serial:
            pass  # the engine's thread has yet to hear of it
        assert [one.renewed for one in server.turn.renewals.present] == [1, 1]
        assert [one.refused for one in server.turn.renewals.present] == [1, 1]


async def test_dtls_takes_no_other_kind_of_key(tmp_path: Path) -> None:
    """Neither from files that change, nor with a configuration that names others."""
    authority = Authority()
    authority.issue().write(tmp_path)
    interface = over("dtls", tmp_path)
    async with asyncio.timeout(PATIENCE), open_relay(interfaces=[interface]) as server:
        (before,) = server.turn.interfaces
        authority.issue(key=rsa.generate_private_key(65537, 2048)).write(tmp_path)
        await until(server, CertificateRefused, 1)
        (told,) = [one.event for one in server.bus.since(0) if isinstance(one.event, CertificateRefused)]
        assert "ECDSA" in told.mistake
        assert server.turn.interfaces == [before]

        (other := tmp_path / "other").mkdir()
        authority.issue(key=rsa.generate_private_key(65537, 2048)).write(other)
        own = server.configuration.own
        changed = own.turn.model_validate(
            turn(interfaces=[{**over("dtls", other), "bind": interface["bind"]}])
        )
        new = dataclasses.replace(server.configuration, own=own.model_copy(update={"turn": changed}))
        with pytest.raises(ListenError, match="ECDSA"):
            await server.turn.prepare(Change.between(server.configuration, new))
        assert server.turn.interfaces == [before]
        with pytest.raises(ListenError, match=r"DTLS takes ECDSA .*\(cert of .*, key of .*\)"):
            async with open_relay(interfaces=[over("dtls", other)]):
                pass
        # The same pair is good for TLS.
        tls = own.turn.model_validate(turn(interfaces=[over("tls", other)]))
        new = dataclasses.replace(server.configuration, own=own.model_copy(update={"turn": tls}))
        prepared = await server.turn.prepare(Change.between(server.configuration, new))
        assert prepared is not None
        await prepared.rollback()


async def test_whoever_configures_a_chain_for_dtls_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority = Authority()
    pair = authority.issue()
    dataclasses.replace(pair, chain=pair.chain + authority.issue().chain).write(tmp_path)
    async with open_relay(interfaces=[over("dtls", tmp_path), over("tls", tmp_path)]):
        pass
    (told,) = [line for line in caplog.messages if "chain" in line]
    assert told.startswith("turn.interfaces, 127.0.0.1:0 dtls: ")


async def test_an_interface_that_goes_is_not_looked_after(tmp_path: Path) -> None:
    authority = Authority()
    authority.issue().write(tmp_path)
    plain = {"transport": "udp", "bind": "127.0.0.1:0"}
    async with asyncio.timeout(PATIENCE), open_relay(interfaces=[over("tls", tmp_path), plain]) as server:
        (renewal,) = server.turn.renewals.present
        assert renewal.present is not None
        opened = server.turn.interfaces
        server.turn.follow(server.turn.settings, [opened[1]], [opened[0]])
        assert server.turn.renewals.present == []
