"""The TURN service over real sockets: sessions, events, and a configuration that changes."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from headgate.core.config import Startup
from headgate.core.config.change import Change
from headgate.core.config.state_file import StateFile
from headgate.core.config.turn_conf import TurnConf
from headgate.core.errors import ListenError, NotFound, Refused
from headgate.core.events import (
    Event,
    RelayAllocated,
    RelayChannelBound,
    RelayClosed,
    RelayPermitted,
    RelayRefreshed,
    SessionClosed,
)
from headgate.core.session import CloseReason, Role, SessionState
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
from tests.turn.live import SECRET, LiveClient, open_relay, turn

PATIENCE = 10.0


def told(server: Server) -> list[Event]:
    """What happened to relays, in order."""
    return [one.event for one in server.bus.since(0) if one.event.TYPE.startswith("relay.")]


async def until_closed(server: Server) -> SessionClosed:
    with server.bus.subscribe() as events:
        if gone := [one.event for one in server.bus.since(0) if isinstance(one.event, SessionClosed)]:
            return gone[-1]
        async with asyncio.timeout(PATIENCE):
            async for one in events:
                if isinstance(one.event, SessionClosed):
                    return one.event
    raise AssertionError("the bus was closed")


async def change(server: Server, **changes: Any) -> None:
    """As the file's change would."""
    old = server.configuration
    own = old.own.model_copy(update={"turn": TurnConf.model_validate(turn(**changes))})
    prepared = await server.turn.prepare(Change.between(old, _with(old, own)))
    if prepared is not None:
        prepared.commit()


def _with(old: Any, own: Any) -> Any:
    return dataclasses.replace(old, own=own)


async def test_an_allocation_is_a_session() -> None:
    async with open_relay() as server, LiveClient.connect(server) as bob:
        relayed = await bob.allocate()
        (session,) = server.registry.sessions()
        assert session.service.name == SERVICE
        assert (session.user, session.role, session.transport) == ("bob", Role.RELAY, "UDP")
        assert (session.target, str(session.remote)) == (str(relayed), str(bob.address))
        assert session.state is SessionState.ACTIVE
        assert await bob.refresh(600) is None
        totals = server.registry.totals([session])[0]
        assert totals.bytes_received > 0
        assert totals.packets_sent >= 1


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


async def test_what_happens_is_told_in_order() -> None:
    async with open_relay() as server, LiveClient.connect(server) as bob:
        relayed = await bob.allocate()
        peer = TransportAddress("127.0.0.1", 9)
        assert await bob.bind(0x4000, peer) is None
        assert error_of(await bob.ask(Method.CREATE_PERMISSION, peer=peer)) is None
        assert await bob.refresh(900) is None
        assert await bob.refresh(0) is None
        events = told(server)
        assert [type(event) for event in events] == [
            RelayAllocated,
            RelayChannelBound,
            RelayPermitted,
            RelayRefreshed,
            RelayClosed,
        ]
        allocated, bound, permitted, refreshed, _ = events
        assert isinstance(allocated, RelayAllocated)
        assert (allocated.port, allocated.username) == (relayed.port, "bob")
        assert allocated.address == str(bob.address)
        assert allocated.interface == str(server.turn.interfaces[0].endpoint)
        assert isinstance(bound, RelayChannelBound)
        assert bound.channel == 0x4000
        assert isinstance(permitted, RelayPermitted)
        assert permitted.ports == (9,)
        assert isinstance(refreshed, RelayRefreshed)
        assert refreshed.lifetime == 900
        assert (await until_closed(server)).reason is CloseReason.GOODBYE
        assert not server.turn.sessions


async def test_a_kick_ends_the_allocation_and_its_ports() -> None:
    async with open_relay() as server, LiveClient.connect(server) as bob:
        await bob.allocate()
        assert await bob.refresh(600) is None
        (session,) = server.registry.sessions()
        server.registry.close(session, CloseReason.KICKED)
        assert server.registry.sessions() == []
        assert server.turn.machine.ports_taken == 0
        assert await bob.refresh(600) is ErrorCode.ALLOCATION_MISMATCH
        closed = await until_closed(server)
        assert closed.reason is CloseReason.KICKED
        assert closed.totals.bytes_received > 0
        assert sum(isinstance(event, RelayClosed) for event in told(server)) == 1
        await bob.allocate()


async def test_a_connection_takes_its_allocation_along() -> None:
    interface = {"transport": "tcp", "bind": "127.0.0.1:0"}
    async with open_relay(interfaces=[interface]) as server, LiveClient.connect(server) as bob:
        await bob.allocate()
        assert server.turn.sessions[0].transport == "TCP"
        bob.hang_up()
        closed = await until_closed(server)
        assert closed.reason is CloseReason.PEER
        assert closed.totals.bytes_sent > 0
        assert server.turn.machine.ports_taken == 0


async def test_a_kick_closes_the_connection() -> None:
    interface = {"transport": "tcp", "bind": "127.0.0.1:0"}
    async with open_relay(interfaces=[interface]) as server, LiveClient.connect(server) as bob:
        await bob.allocate()
        server.registry.close(server.turn.sessions[0], CloseReason.KICKED)
        assert await bob.receive() == b""


async def test_hostile_names_stay_names() -> None:
    """S-09: as one value in every document, whatever is in them."""
    name = '%s%n $(id) "; drop-- ../ .*> \u00e9\u3042'
    async with open_relay(users={name: "x"}) as server, LiveClient.connect(server, name, "x") as eve:
        await eve.allocate()
        (document,) = [one.document() for one in server.bus.since(0) if isinstance(one.event, RelayAllocated)]
        assert json.loads(json.dumps(document))["username"] == name


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


async def test_a_line_when_it_opens_and_one_when_it_closes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with open_relay() as server, LiveClient.connect(server) as bob:
        await bob.allocate()
        (session,) = server.turn.sessions
        server.registry.close(session, CloseReason.KICKED)
    head = f"TURN session {session.id.number} of {session.remote}"
    opened, gone = [line for line in caplog.messages if line.startswith(head)]
    assert opened == f"{head} opened: relayed address {session.target}, user 'bob', UDP"
    assert gone.startswith(f"{head} closed: kicked by an operator; relayed address {session.target}, ")


# A new configuration


async def test_a_change_drops_nobody_it_does_not_concern() -> None:
    async with (
        open_relay() as server,
        LiveClient.connect(server) as bob,
        LiveClient.connect(server, "alice", "wonder") as alice,
    ):
        await bob.allocate()
        await alice.allocate()
        (listener,) = server.turn.interfaces
        await change(
            server,
            users={"bob": "builder", "alice": "another"},
            quotas={"allocationsPerUser": 7},
            compatibleChannels=True,
        )
        assert [session.user for session in server.turn.sessions] == ["bob"]
        assert server.turn.interfaces[0].handle == listener.handle
        assert (await until_closed(server)).reason is CloseReason.REVOKED
        assert await bob.bind(0x5000, TransportAddress("127.0.0.1", 9)) is None
        assert await alice.refresh(600) is ErrorCode.UNAUTHENTICATED


CHANGES: list[dict[str, Any]] = [
    {"relayAddresses": ["127.0.0.2"]},
    {"relayPortRange": "50000-50999"},
    {"users": {"bob": "builder", "carol": "new"}},
    {"authSecrets": [SECRET, "another secret of sixteen"]},
    {"authHTTPAddress": "http://127.0.0.1:9/"},
    {"strictExpiry": True},
    {"peers": {"allow": ["127.0.0.0/8", "10.0.0.0/8"]}},
    {"quotas": dict.fromkeys(("allocations", "allocationsPerUser", "allocationsPerAddress"), 1)},
    {"quotas": {"bytesPerSecond": "1K", "answersPerSecond": 1, "newAllocationsPerSecond": 1}},
    {"compatibleChannels": True},
    {"mobility": True},
    {"tcpRelay": True},
    {"alternateServers": ["203.0.113.5:3478"]},
    {"realm": "example.net"},
]


@pytest.mark.parametrize("changes", CHANGES, ids=lambda changes: next(iter(changes)))
async def test_whatever_key_changes_an_allocation_stays(changes: dict[str, Any]) -> None:
    async with open_relay() as server, LiveClient.connect(server) as bob:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.bind(("127.0.0.1", 0))
            peer.settimeout(0)
            relayed = await bob.allocate()
            assert await bob.bind(0x4000, TransportAddress(*peer.getsockname())) is None
            await change(server, **changes)
            assert len(server.turn.sessions) == 1
            await bob.send(b"\x40\0\0\4moon")
            async with asyncio.timeout(PATIENCE):
                data, source = await asyncio.get_running_loop().sock_recvfrom(peer, 100)
            assert (data, source) == (b"moon", tuple(relayed))
        if "realm" not in changes:  # it is in every key: a client begins anew
            assert await bob.refresh(600) is None


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


async def test_an_interface_that_goes_takes_its_clients_along() -> None:
    async with open_relay() as server, LiveClient.connect(server) as bob:
        await bob.allocate()
        await change(server, interfaces=[])
        assert (await until_closed(server)).reason is CloseReason.RECONFIGURED
        with pytest.raises(NotFound):
            server.registry.service(SERVICE)
        assert server.turn.machine.ports_taken == 0


async def test_what_cannot_be_opened_changes_nothing() -> None:
    async with open_relay() as server, LiveClient.connect(server) as bob:
        await bob.allocate()
        interfaces = [
            {"transport": "udp", "bind": "127.0.0.1:0"},
            {"transport": "udp", "bind": "127.0.0.2:0"},
            {"transport": "tls", "bind": "127.0.0.1:0", "cert": "none.crt"},
        ]
        with pytest.raises(ListenError):
            await change(server, interfaces=interfaces)
        assert len(server.turn.interfaces) == len(server.registry.service(SERVICE).listeners) == 1
        assert await bob.refresh(600) is None


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
