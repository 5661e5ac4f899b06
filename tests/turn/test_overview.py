"""The relay's dialect over real sockets: a client, the wing, and an operator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from click.testing import CliRunner

from headgate.api.app import build
from headgate.cli import main
from headgate.core.config.turn_conf import TurnConf
from headgate.core.events import RelayClosed, RelayPeerDenied
from headgate.core.session import CloseReason
from headgate.server import Server
from headgate.turn.refusal import ErrorCode
from headgate.turn.stun.address import TransportAddress
from headgate.turn.stun.message import Method
from tests.media.conftest import configuration
from tests.turn.dialogue import error_of
from tests.turn.live import LiveClient, open_relay, turn

PEER = TransportAddress("127.0.0.1", 9)


@dataclass
class Gate:
    server: Server
    operator: httpx.AsyncClient

    def place(self, client: LiveClient) -> dict[str, str]:
        return {"address": str(client.address), "interface": str(self.server.turn.interfaces[0].endpoint)}


@asynccontextmanager
async def opened(**changes: object) -> AsyncIterator[Gate]:
    async with open_relay(**changes) as server:
        transport = httpx.ASGITransport(build(server.view))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1", trust_env=False
        ) as client:
            yield Gate(server, client)


async def test_a_session_as_the_seed_has_it() -> None:
    async with opened() as gate, LiveClient.connect(gate.server) as bob:
        relayed = await bob.allocate()
        assert await bob.bind(0x4000, PEER) is None
        assert (
            error_of(await bob.ask(Method.CREATE_PERMISSION, peer=TransportAddress("127.0.0.2", 0))) is None
        )

        (session,) = (await gate.operator.get("/session", params=gate.place(bob))).json()
        assert (session["address"], session["username"]) == (str(bob.address), "bob")
        assert (session["channels"], session["port"]) == ([0x4000], relayed.port)
        assert session["permissions"] == [9, 0]
        assert 590 < session["expires"] <= 600
        assert [one["peer"] for one in session["peers"]] == ["127.0.0.1:9", "127.0.0.2:0"]
        assert session["bindings"][0]["peer"] == "127.0.0.1:9"
        info = (await gate.operator.get("/info")).json()
        assert (info["port_allocated"], info["port_capacity"]) == (1, 16_384)
        assert info["interfaces"][0]["bind"] == session["interface"]


async def test_a_session_that_ends_while_a_list_is_made_is_not_in_it() -> None:
    async with opened() as gate, LiveClient.connect(gate.server) as bob:
        await bob.allocate()
        relay = gate.server.view.relay
        assert relay is not None
        (session,) = relay.sessions
        assert relay.detail(session) is not None
        gate.server.registry.close(session, CloseReason.KICKED)
        assert relay.detail(session) is None


async def test_numbers_only_go_up_until_it_is_shut() -> None:
    async with opened() as gate, LiveClient.connect(gate.server) as bob:
        await bob.allocate()
        before = (await gate.operator.get("/session/statistics", params=gate.place(bob))).json()
        assert await bob.refresh(600) is None
        assert await bob.bind(0x3FFF, PEER) is ErrorCode.BAD_REQUEST
        after = (await gate.operator.get("/session/statistics", params=gate.place(bob))).json()
        assert after["received_bytes"] > before["received_bytes"]
        assert after["send_pkts"] > before["send_pkts"]
        assert after["error_pkts"] == before["error_pkts"] + 1

        assert (await gate.operator.delete("/session", params=gate.place(bob))).status_code == 200
        assert (await gate.operator.delete("/session", params=gate.place(bob))).status_code == 404
        assert await bob.refresh(600) is ErrorCode.ALLOCATION_MISMATCH
        assert sum(isinstance(one.event, RelayClosed) for one in gate.server.bus.since(0)) == 1
        assert gate.server.turn.machine.ports_taken == 0
        # What it has moved stays in the metrics.
        counters = gate.server.view.relay.counters if gate.server.view.relay else None
        assert counters is not None
        assert counters.traffic["UDP"].bytes_received >= after["received_bytes"]


async def test_traffic_is_kept_whoever_ends_it() -> None:
    async with opened() as gate, LiveClient.connect(gate.server) as bob:
        relay = gate.server.view.relay
        assert relay is not None
        last = 0
        for _ in range(2):
            await bob.allocate()
            assert await bob.refresh(0) is None
            now = relay.counters.traffic["UDP"].packets_received
            assert now > last
            last = now
        assert relay.of_client(gate.server.turn.interfaces[0].endpoint) == ()


async def test_a_bound_address_is_its_interface_too() -> None:
    interface = {"transport": "udp", "bind": "127.0.0.1:0", "external": "203.0.113.9:3478"}
    async with opened(interfaces=[interface]) as gate, LiveClient.connect(gate.server) as bob:
        await bob.allocate()
        address = str(bob.address)
        for ours in ("203.0.113.9:3478", str(gate.server.turn.interfaces[0].endpoint)):
            answer = await gate.operator.get("/session", params={"address": address, "interface": ours})
            assert answer.json()[0]["interface"] == "203.0.113.9:3478"
        other = {"address": address, "interface": "203.0.113.9:3479"}
        assert (await gate.operator.get("/session", params=other)).status_code == 404
        assert (await gate.operator.get("/session?interface=[::1]:3478")).json() == []


async def test_a_user_is_shut_out_and_quotas_say_so() -> None:
    async with (
        opened(quotas={"allocationsPerUser": 1}) as gate,
        LiveClient.connect(gate.server) as bob,
        LiveClient.connect(gate.server) as again,
        LiveClient.connect(gate.server, "alice", "wonder") as alice,
    ):
        await bob.allocate()
        await alice.allocate()
        answer = await again.ask(Method.ALLOCATE, (0x0019, b"\x11\0\0\0"))
        assert error_of(answer) is ErrorCode.ALLOCATION_QUOTA_REACHED
        (user,) = (await gate.operator.get("/relay/users?user=bob")).json()["items"]
        assert (user["sessions"], user["limit"]) == (1, 1)
        text = (await gate.operator.get("/metrics")).text
        assert 'headgate_turn_quota_refusals_total{quota="allocationsPerUser"} 1\n' in text
        assert 'headgate_turn_requests_refused_total{code="486"} 1\n' in text
        assert 'headgate_turn_allocations{transport="udp"} 2\n' in text
        assert (await gate.operator.delete("/relay/sessions?user=bob")).json() == {"sessions": 1}
        assert await bob.refresh(600) is ErrorCode.ALLOCATION_MISMATCH
        assert await alice.refresh(600) is None


async def test_a_denied_peer_is_told_of_once() -> None:
    async with opened(peers={}) as gate, LiveClient.connect(gate.server) as bob:
        await bob.allocate()
        for last in (1, 1, *range(2, 30)):
            peer = TransportAddress(f"10.0.0.{last}", 80)
            assert error_of(await bob.ask(Method.CREATE_PERMISSION, peer=peer)) is ErrorCode.FORBIDDEN
        told = [one.event for one in gate.server.bus.since(0) if isinstance(one.event, RelayPeerDenied)]
        assert [event.peer for event in told] == [f"10.0.0.{last}:80" for last in range(1, 17)]
        assert "headgate_turn_denied_peers_total 30\n" in (await gate.operator.get("/metrics")).text


async def test_it_drains_and_comes_back() -> None:
    async with (
        opened() as gate,
        LiveClient.connect(gate.server) as bob,
        LiveClient.connect(gate.server, "alice", "wonder") as alice,
    ):
        await bob.allocate()
        assert (await gate.operator.post("/relay/drain")).json()["sessions"] == 1
        answer = await alice.ask(Method.ALLOCATE, (0x0019, b"\x11\0\0\0"))
        assert error_of(answer) is ErrorCode.INSUFFICIENT_CAPACITY
        assert await bob.refresh(600) is None
        assert "headgate_turn_draining 1\n" in (await gate.operator.get("/metrics")).text
        assert await bob.refresh(0) is None
        assert (await gate.operator.get("/relay/drain")).json()["sessions"] == 0
        await gate.operator.delete("/relay/drain")
        await alice.allocate()
        gate.server.registry.drain()
        assert (await gate.operator.get("/relay/drain")).json()["draining"] is True
        assert (await gate.operator.delete("/relay/drain")).status_code == 409


async def test_a_minted_credential_opens_the_relay() -> None:
    async with opened() as gate:
        made = (await gate.operator.post("/relay/credentials", json={"user": "carol", "ttl": 60})).json()
        async with LiveClient.connect(gate.server, made["username"], made["password"]) as carol:
            await carol.allocate()
            (session,) = (await gate.operator.get("/relay/sessions?user=carol")).json()["items"]
            assert session["username"] == made["username"]
        bad = await gate.operator.post("/relay/credentials", json={"user": "x" * 600})
        assert bad.status_code == 400
    async with opened(interfaces=[]) as gate:
        assert (await gate.operator.post("/relay/credentials", json={})).status_code == 409
        assert (await gate.operator.get("/info")).json()["interfaces"] == []


async def test_every_other_dialect_shows_and_shuts_it() -> None:
    async with opened() as gate, LiveClient.connect(gate.server) as bob:
        relayed = await bob.allocate()
        (session,) = (await gate.operator.get("/session")).json()
        attributes = (await gate.operator.get(f"/v1/sessions/{session['id']}")).json()["data"]["attributes"]
        assert (attributes["protocol"], attributes["role"]) == ("turn", "relay")
        assert (attributes["target"], attributes["user"]) == (str(relayed), "bob")
        assert (await gate.operator.delete(f"/v1/sessions/{session['id']}")).status_code == 204
        assert (await gate.operator.get("/session")).json() == []


async def test_the_program_lists_and_kicks_it() -> None:
    settings = configuration(
        turn=TurnConf.model_validate(turn()), rtsp=False, api=True, api_address="127.0.0.1:0"
    )
    async with Server(settings) as server, LiveClient.connect(server) as bob:
        relayed = await bob.allocate()
        assert server.operator is not None
        api = f"http://{server.operator}"

        async def run(*arguments: str) -> str:
            result = await asyncio.to_thread(CliRunner().invoke, main, [*arguments, "--api", api])
            assert result.exit_code == 0, result.output
            return result.output

        line = next(line for line in (await run("sessions")).splitlines() if " relay " in line)
        assert str(relayed) in line
        assert "bob" in line
        await run("kick", line.split()[0])
        assert await bob.refresh(600) is ErrorCode.ALLOCATION_MISMATCH
