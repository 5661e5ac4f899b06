"""The TURN service over real sockets: what listens, who is let in, and what is said."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from headgate.core.config import Startup
from headgate.core.config.state_file import StateFile
from headgate.core.config.turn_conf import TurnConf
from headgate.core.errors import ListenError, NotFound, Refused
from headgate.core.session import CloseReason
from headgate.server import Server
from headgate.turn.credentials import rest_password
from headgate.turn.generated_secret import FILE
from headgate.turn.refusal import ErrorCode
from headgate.turn.server import SERVICE
from headgate.turn.stun.address import TransportAddress
from headgate.turn.stun.attribute import Attribute
from headgate.turn.stun.message import Method
from tests.core.auth.servers import serve
from tests.media.conftest import configuration
from tests.turn.dialogue import UDP, error_of
from tests.turn.live import LiveClient, change, open_relay, turn, until_closed


async def test_two_clients_of_ours_reach_each_other() -> None:
    async with (
        open_relay(peers={}) as server,
        LiveClient.connect(server) as bob,
        LiveClient.connect(server, "alice", "wonder") as alice,
    ):
        here, there = await bob.allocate(), await alice.allocate()
        assert await bob.bind(0x4000, there) is None
        assert await alice.bind(0x4ABC, here) is None
        await bob.send(b"\x40\x00\x00\x05hello\0\0\0")
        assert (await alice.receive())[:9] == b"\x4a\xbc\x00\x05hello"


async def test_a_taken_port_starts_nothing() -> None:
    async with open_relay() as server:
        taken = str(server.turn.interfaces[0].endpoint)
        other = configuration(
            turn=TurnConf.model_validate(
                turn(
                    interfaces=[
                        {"transport": "udp", "bind": "127.0.0.1:0"},
                        {"transport": "tls", "bind": taken, "cert": "none.crt"},
                    ]
                )
            ),
            rtsp=False,
        )
        with pytest.raises(ListenError, match=r"none\.crt.*turn\.interfaces"):
            async with Server(other):
                pass


async def test_without_interfaces_there_is_no_service() -> None:
    async with open_relay(interfaces=[]) as server:
        with pytest.raises(NotFound):
            server.registry.service(SERVICE)
        with pytest.raises(Refused):
            server.turn.mint(user="bob", ttl=60)
        assert not any("relay:" in line for line in server.greeting())


# Credentials


async def test_a_minted_credential_opens_the_relay() -> None:
    interface = {"transport": "udp", "bind": "127.0.0.1:0", "external": "127.0.0.1:3478"}
    async with open_relay(interfaces=[interface], authSecrets=[], users={}) as server:
        minted = server.turn.mint(user="carol", ttl=60)
        assert minted.urls == ("turn:127.0.0.1:3478?transport=udp",)
        assert any("the shared secret is made for this run" in line for line in server.greeting())
        async with LiveClient.connect(server, minted.name, minted.password) as carol:
            await carol.allocate()
            (session,) = server.turn.sessions
            assert session.user == "carol"
            assert str(session.external) == "127.0.0.1:3478"


async def test_another_server_knows_a_password() -> None:
    asked = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(await request.json())
        return web.json_response({"password": "hers"})

    async with serve(answer) as url, open_relay(authHTTPAddress=url) as server:
        async with LiveClient.connect(server, "carol", "hers") as carol:
            await carol.allocate()
        async with LiveClient.connect(server, "carol", "wrong") as eve:
            assert error_of(await eve.ask(Method.REFRESH)) is ErrorCode.UNAUTHENTICATED
    (question,) = asked
    assert (question["user"], question["action"], question["ip"]) == ("carol", "relay", "127.0.0.1")


async def test_whom_another_server_knows_a_change_that_does_not_concern_it_leaves_alone() -> None:
    """Even where its word about them is forgotten, which there is no room for: it has taken back nothing."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response({"password": "hers"})

    async with (
        serve(answer) as url,
        open_relay(authHTTPAddress=url) as server,
        LiveClient.connect(server, "carol", "hers") as carol,
    ):
        await carol.allocate()
        server.turn.machine.credentials.remembered.clear()
        await change(server, authHTTPAddress=url, compatibleChannels=True)
        assert [session.user for session in server.turn.sessions] == ["carol"]
        assert await carol.refresh(600) is None
        await change(server)
        assert (await until_closed(server)).reason is CloseReason.REVOKED


async def test_whom_another_server_knew_a_third_one_does_not() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response({"password": "hers"})

    async with (
        serve(answer) as url,
        serve(answer) as other,
        open_relay(authHTTPAddress=url) as server,
        LiveClient.connect(server, "carol", "hers") as carol,
    ):
        await carol.allocate()
        server.turn.machine.credentials.remembered.clear()
        await change(server, authHTTPAddress=other)
        assert (await until_closed(server)).reason is CloseReason.REVOKED


async def test_where_we_relay_from_is_known_before_anybody_has_an_allocation_there() -> None:
    """S-48: what is granted of such an address is our own relayed ones, from the start."""
    interfaces = [{"transport": "udp", "bind": f"{host}:0"} for host in ("127.0.0.1", "127.0.0.2")]
    async with (
        open_relay(interfaces=interfaces, relayAddresses=[], peers={}) as server,
        LiveClient.connect(server) as bob,
        LiveClient.connect(server, interface=1) as alice,
    ):
        await bob.allocate()
        beside = TransportAddress("127.0.0.2", 9)
        assert error_of(await bob.ask(Method.CREATE_PERMISSION, peer=beside)) is None
        relayed = await alice.allocate()
        assert relayed.host == beside.host
        other = TransportAddress("127.0.0.3", 9)
        assert error_of(await bob.ask(Method.CREATE_PERMISSION, peer=other)) is ErrorCode.FORBIDDEN


async def test_each_interface_has_its_own_external_address() -> None:
    outside = {"127.0.0.1": "203.0.113.1", "127.0.0.2": "203.0.113.2"}
    interfaces = [
        {"transport": "udp", "bind": f"{host}:0", "external": external} for host, external in outside.items()
    ]
    async with open_relay(interfaces=interfaces) as server:
        for number, external in enumerate(outside.values()):
            async with LiveClient.connect(server, interface=number) as bob:
                assert (await bob.allocate()).host == external
        told = {str(session.local.host): session.external for session in server.turn.sessions}
        assert {host: one.host for host, one in told.items()} == outside


async def test_what_is_opened_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="headgate.turn"):
        async with open_relay(peers={"allow": ["10.0.0.0/8"]}) as server:
            assert [one.getMessage() for one in caplog.records] == [
                "turn.peers.allow: clients of the relay can reach 10.0.0.0/8"
            ]
            caplog.clear()
            await change(server, peers={"allow": ["10.0.0.0/8", "192.168.7.0/24"]})
            assert any("192.168.7.0/24" in one.getMessage() for one in caplog.records)


async def test_what_is_relayed_from_nowhere_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """Every Allocate would be answered 508, and nobody know why."""
    with caplog.at_level(logging.WARNING, logger="headgate.turn"):
        async with open_relay(peers={}, relayAddresses=["192.0.2.1", "127.0.0.1"]) as server:
            told = [one.getMessage() for one in caplog.records]
            assert told == [
                "turn.relayAddresses: 192.0.2.1 is no address of this machine; nobody gets a port of it"
            ]
            await change(server, peers={}, relayAddresses=["127.0.0.2", "2001:db8::1"])
    assert any("2001:db8::1 is no address" in one.getMessage() for one in caplog.records)


@pytest.fixture
def keeping(tmp_path: Path) -> Iterator[tuple[Startup, Path]]:
    """A server that has been told of no credentials, and where it keeps the secret that it makes."""
    conf = configuration(turn=TurnConf.model_validate(turn(users={}, authSecrets=[])), rtsp=False)
    with StateFile(tmp_path, None) as state:
        yield dataclasses.replace(Startup.of(conf), state=state), tmp_path / FILE


async def test_without_credentials_a_secret_is_made_and_said(keeping: tuple[Startup, Path]) -> None:
    """It is what opens the relay; nobody is let in without."""
    startup, file = keeping
    async with Server(startup) as server, LiveClient.connect(server) as bob:
        assert any(line.endswith(f"the shared secret is in {file}") for line in server.greeting())
        status, secret = await asyncio.to_thread(lambda: (file.stat(), file.read_bytes()))
        assert status.st_mode & 0o777 == 0o600
        answer = await bob.ask(Method.ALLOCATE, (Attribute.REQUESTED_TRANSPORT, UDP))
        assert error_of(answer) is ErrorCode.UNAUTHENTICATED
        made = rest_password(secret.strip(), "9999999999:bob")
        async with LiveClient.connect(server, "9999999999:bob", made) as known:
            await known.allocate()


async def test_whatever_is_opened_every_request_is_answered() -> None:
    opened = {"allow": ["0.0.0.0/0", "::/0"]}
    async with open_relay(peers=opened) as server, LiveClient.connect(server) as bob:
        await bob.allocate()
        for number, host in enumerate(("0.0.0.0", "224.0.0.1", "255.255.255.255")):
            assert await bob.bind(0x4000 + number, TransportAddress(host, 9)) is ErrorCode.FORBIDDEN
        assert await bob.bind(0x4100, TransportAddress("240.0.0.1", 9)) is None


async def test_who_stops_takes_nobody_new() -> None:
    async with (
        open_relay() as server,
        LiveClient.connect(server) as bob,
        LiveClient.connect(server, "alice", "wonder") as alice,
    ):
        await bob.allocate()
        await alice.ask(Method.REFRESH)
        server.registry.drain()
        server.turn.drain()
        answer = await alice.ask(Method.ALLOCATE, (0x0019, b"\x11\0\0\0"))
        assert error_of(answer) is ErrorCode.INSUFFICIENT_CAPACITY
        assert await bob.refresh(600) is None
    assert (await until_closed(server)).reason is CloseReason.SHUTDOWN
