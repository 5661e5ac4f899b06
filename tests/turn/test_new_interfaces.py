"""A configuration that changes under clients, over real sockets."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from headgate.core.errors import ListenError, NotFound
from headgate.core.session import CloseReason
from headgate.turn.refusal import ErrorCode
from headgate.turn.server import SERVICE
from headgate.turn.stun.address import TransportAddress
from tests.turn.live import PATIENCE, SECRET, LiveClient, change, open_relay, until_closed


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


async def test_an_interface_that_goes_takes_its_clients_along() -> None:
    async with open_relay() as server, LiveClient.connect(server) as bob:
        await bob.allocate()
        await change(server, interfaces=[])
        assert (await until_closed(server)).reason is CloseReason.CLOSED_DOWN
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
