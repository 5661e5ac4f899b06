"""Sessions over real sockets: opened, told of, and ended in every way."""

from __future__ import annotations

import json
import logging

import pytest

from headgate.core.events import (
    Event,
    RelayAllocated,
    RelayChannelBound,
    RelayClosed,
    RelayPermitted,
    RelayRefreshed,
)
from headgate.core.session import CloseReason, Role, SessionState
from headgate.server import Server
from headgate.turn.refusal import ErrorCode
from headgate.turn.server import SERVICE
from headgate.turn.stun.address import TransportAddress
from headgate.turn.stun.message import Method
from tests.turn.dialogue import error_of
from tests.turn.live import LiveClient, open_relay, until_closed


def told(server: Server) -> list[Event]:
    """What happened to relays, in order."""
    return [one.event for one in server.bus.since(0) if one.event.TYPE.startswith("relay.")]


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
            RelayRefreshed,
        ]
        allocated, bound, permitted, refreshed, _, released = events
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
        assert isinstance(released, RelayRefreshed)
        assert released.lifetime == 0
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
