"""A call between two agents of aioice that may only use the relay, both of them (S-48)."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aioice import Connection, TransportPolicy

from tests.journeys.gate import Gate, settings
from tests.journeys.test_turn import ports, relay
from tests.journeys.turnutils import PASSWORD, USER

PATIENCE = 20.0


async def call(port: int, *, tcp: bool) -> list[bytes]:
    def agent(*, controlling: bool) -> Connection:
        return Connection(
            ice_controlling=controlling,
            turn_server=("127.0.0.1", port),
            turn_username=USER,
            turn_password=PASSWORD,
            turn_transport="tcp" if tcp else "udp",
            transport_policy=TransportPolicy.RELAY,
            use_ipv6=False,
        )

    caller, called = agent(controlling=True), agent(controlling=False)
    async with asyncio.timeout(PATIENCE):
        for one in (caller, called):
            await one.gather_candidates()
        for one, other in ((caller, called), (called, caller)):
            assert {candidate.type for candidate in one.local_candidates} == {"relay"}
            for candidate in one.local_candidates:
                await other.add_remote_candidate(candidate)
            await other.add_remote_candidate(None)
            other.remote_username, other.remote_password = one.local_username, one.local_password
        await asyncio.gather(caller.connect(), called.connect())
        await caller.send(b"hello")
        heard = [await called.recv()]
        await called.send(b"and back")
        heard.append(await caller.recv())
        await asyncio.gather(caller.close(), called.close())
    return heard


def test_a_call_through_the_relay_with_the_shipped_policy(tmp_path: Path) -> None:
    with Gate.open(tmp_path, settings(rtsp=False, turn=relay(peers={}, compatibleChannels=False))) as gate:
        bound = ports(gate)
        assert asyncio.run(call(bound["UDP", "127.0.0.1"], tcp=False)) == [b"hello", b"and back"]
        assert asyncio.run(call(bound["TCP", "127.0.0.1"], tcp=True)) == [b"hello", b"and back"]
