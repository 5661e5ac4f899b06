"""An allocation that moves between transports, over real sockets: its session, its numbers and its data."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from headgate.api.app import build
from headgate.core.events import RelayClosed
from headgate.core.session import CloseReason
from headgate.server import Server
from headgate.turn.stun.address import TransportAddress, read_address
from headgate.turn.stun.attribute import Attribute
from headgate.turn.stun.message import Message, Method
from tests.turn.dialogue import UDP, error_of
from tests.turn.live import LiveClient, open_relay

INTERFACES = [
    {"transport": "udp", "bind": "127.0.0.1:0", "external": "203.0.113.9:3478"},
    {"transport": "tcp", "bind": "127.0.0.1:0"},
]
OVER_UDP, OVER_TCP = 0, 1
NUMBER = 0x4000
PATIENCE = 10.0


class Peer:
    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0)

    @property
    def address(self) -> TransportAddress:
        return TransportAddress(*self.socket.getsockname())

    async def hears(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await asyncio.get_running_loop().sock_recv(self.socket, 2048)


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[Server, Peer]]:
    async with open_relay(interfaces=INTERFACES, mobility=True) as server:
        peer = Peer()
        with peer.socket:
            yield server, peer


async def allocate(client: LiveClient) -> tuple[TransportAddress, bytes]:
    """Its relayed address, and its ticket."""
    answer = await client.ask(
        Method.ALLOCATE, (Attribute.REQUESTED_TRANSPORT, UDP), (Attribute.MOBILITY_TICKET, b"")
    )
    assert error_of(answer) is None
    relayed = read_address(answer.attributes[Attribute.XOR_RELAYED_ADDRESS], answer.transaction)
    return relayed, answer.attributes[Attribute.MOBILITY_TICKET]


async def resume(client: LiveClient, ticket: bytes) -> Message:
    return await client.ask(Method.REFRESH, (Attribute.MOBILITY_TICKET, ticket))


async def relays(client: LiveClient, peer: Peer, relayed: TransportAddress) -> None:
    """Data goes both ways in its channel."""
    await client.send(struct.pack("!HH4s", NUMBER, 4, b"data"))
    assert await peer.hears() == b"data"
    peer.socket.sendto(b"back", ("127.0.0.1", relayed.port))  # not as outside
    assert await client.receive() == struct.pack("!HH4s", NUMBER, 4, b"back")


async def test_its_session_follows() -> None:
    async with opened() as (server, peer), LiveClient.connect(server) as bob:
        relayed, ticket = await allocate(bob)
        assert await bob.bind(NUMBER, peer.address) is None
        await relays(bob, peer, relayed)
        (session,) = server.turn.sessions
        assert (session.transport, str(session.external)) == ("UDP", "203.0.113.9:3478")
        async with (
            LiveClient.connect(server, interface=OVER_TCP) as moved,
            httpx.AsyncClient(
                transport=httpx.ASGITransport(build(server.view)),
                base_url="http://127.0.0.1",
                trust_env=False,
            ) as operator,
        ):
            # Before it moves nobody is here.
            place = {
                "address": str(moved.address),
                "interface": str(server.turn.interfaces[OVER_TCP].endpoint),
            }
            assert (await operator.get("/session", params=place)).status_code == 404
            assert error_of(await resume(moved, ticket)) is None
            await relays(moved, peer, relayed)
            (known,) = server.registry.sessions()
            assert known is session
            tcp = server.turn.interfaces[OVER_TCP].endpoint
            assert (session.transport, session.external, session.local) == ("TCP", tcp, tcp)
            assert str(session.remote) == str(moved.address)
            (shown,) = (await operator.get("/session", params=place)).json()
            assert (shown["address"], shown["scheme"]) == (str(moved.address), "tcp")
            assert shown["channels"] == [NUMBER]
            old = {"address": str(bob.address), "interface": "203.0.113.9:3478"}
            assert (await operator.get("/session", params=old)).status_code == 404
            text = (await operator.get("/metrics")).text
            assert 'headgate_turn_moves_total{result="moved"} 1\n' in text
            # A kick is heard where the client is.
            assert (await operator.delete("/session", params=place)).status_code == 200
            assert await moved.receive() == b""
        assert sum(isinstance(one.event, RelayClosed) for one in server.bus.since(0)) == 1


async def test_no_transport_s_numbers_go_back() -> None:
    async with opened() as (server, peer), LiveClient.connect(server) as bob:
        relay = server.view.relay
        assert relay is not None
        relayed, ticket = await allocate(bob)
        assert await bob.bind(NUMBER, peer.address) is None
        await relays(bob, peer, relayed)
        before = relay.counters.traffic["UDP"]
        async with LiveClient.connect(server, interface=OVER_TCP) as moved:
            answer = await resume(moved, ticket)
            await relays(moved, peer, relayed)
            there = relay.counters.traffic
            assert there["UDP"].bytes_received >= before.bytes_received
            assert there["TCP"].packets_received == 1  # the request that moved it came from a stranger
            assert there["TCP"].bytes_received < before.bytes_received
            # And back again.
            assert error_of(await resume(bob, answer.attributes[Attribute.MOBILITY_TICKET])) is None
            await relays(bob, peer, relayed)
            assert await bob.refresh(0) is None
            after = relay.counters.traffic
            assert after["UDP"].bytes_received > there["UDP"].bytes_received
            assert after["TCP"].bytes_received >= there["TCP"].bytes_received


async def test_it_waits_for_a_client_whose_connection_broke() -> None:
    async with opened() as (server, peer), LiveClient.connect(server, interface=OVER_TCP) as bob:
        relayed, ticket = await allocate(bob)
        assert await bob.bind(NUMBER, peer.address) is None
        bob.reset()
        async with LiveClient.connect(server, interface=OVER_TCP) as moved:
            assert error_of(await resume(moved, ticket)) is None
            await relays(moved, peer, relayed)
            (session,) = server.turn.sessions
            assert str(session.remote) == str(moved.address)
            assert server.turn.machine.usage == {"bob": 1}


async def test_who_does_not_come_back_can_be_kicked() -> None:
    async with opened() as (server, _), LiveClient.connect(server, interface=OVER_TCP) as bob:
        _, ticket = await allocate(bob)
        bob.reset()
        (session,) = server.turn.sessions
        server.registry.close(session, CloseReason.KICKED)
        assert server.turn.machine.ports_taken == 0
        async with LiveClient.connect(server) as late:
            assert error_of(await resume(late, ticket)) == 437
