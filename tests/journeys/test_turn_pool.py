"""Ports and quotas come back, whatever way an allocation goes (reliability S-05, S-07)."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from headgate.turn.stun.address import read_address
from headgate.turn.stun.attribute import Attribute
from headgate.turn.stun.message import Method
from tests.journeys.gate import Gate, settings
from tests.journeys.test_turn import ports, relay
from tests.journeys.turn_client import UDP, TurnClient, error_of

SIZE = 200
CYCLES = 1600
"""Of the row's 10,000. Each way of allocating comes over 200 times: a pool that leaks one port is empty."""
RESERVE, EVEN = (int(Attribute.EVEN_PORT), b"\x80"), (int(Attribute.EVEN_PORT), b"\0")
WHOLE = (int(Attribute.DONT_FRAGMENT), b"")
BOTH = (int(Attribute.ADDITIONAL_ADDRESS_FAMILY), b"\x02\0\0\0")
WAYS: tuple[tuple[tuple[int, bytes], ...], ...] = ((), (EVEN,), (RESERVE,), (WHOLE,), (BOTH,), (EVEN, WHOLE))


@pytest.fixture
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    """200 ports, of an address of this process's own, so that all of them are free."""
    own = f"127.{os.getpid() >> 16 & 63 | 64}.{os.getpid() >> 8 & 255}.{os.getpid() & 255 | 1}"
    quotas = {
        "newAllocationsPerSecond": 0,
        "allocationsPerAddress": 0,
        "allocationsPerUser": 0,
        "answersPerSecond": 0,
    }
    section = relay(
        relayAddresses=[own, "::1"], relayPortRange=f"50000-{50_000 + SIZE - 1}", peers={}, quotas=quotas
    )
    with Gate.open(tmp_path_factory.mktemp("pool"), settings(rtsp=False, turn=section)) as gate:
        yield gate


def test_the_pool_is_full_again_after_everything(pool: Gate) -> None:
    udp, tcp = (ports(pool)[transport, "127.0.0.1"] for transport in ("UDP", "TCP"))
    with TurnClient(udp) as client:
        for way in itertools.islice(itertools.cycle(WAYS), CYCLES):
            answer = client.ask(Method.ALLOCATE, UDP, *way)
            assert error_of(answer) is None, way
            if RESERVE in way:  # the reserved port goes the way of all others, once it is somebody's
                token = (int(Attribute.RESERVATION_TOKEN), answer.attributes[Attribute.RESERVATION_TOKEN])
                with TurnClient(udp) as second:
                    first = read_address(answer.attributes[Attribute.XOR_RELAYED_ADDRESS], answer.transaction)
                    assert second.allocate(token).port == first.port + 1
                    second.refresh(0)
            assert error_of(client.refresh(0)) is None
    for _ in range(50):  # who hangs up in the middle
        with TurnClient(tcp, transport="tcp") as client:
            client.allocate()
            client.send(client.build(Method.REFRESH)[:10])
            address = ":".join(map(str, client.socket.getsockname()))
        pool.events.wait("relay.closed", address=address)
    with ExitStack() as stack:
        clients = [stack.enter_context(TurnClient(udp)) for _ in range(SIZE)]
        assert len({client.allocate().port for client in clients}) == SIZE
        assert error_of(stack.enter_context(TurnClient(udp)).ask(Method.ALLOCATE, UDP)) == 508


def test_a_quota_is_what_it_says(tmp_path_factory: pytest.TempPathFactory) -> None:
    section = relay(quotas={"allocationsPerUser": 10, "newAllocationsPerSecond": 0})
    directory = tmp_path_factory.mktemp("quota")
    with Gate.open(directory, settings(rtsp=False, turn=section)) as gate, ExitStack() as stack:
        port = ports(gate)["UDP", "127.0.0.1"]
        clients = [stack.enter_context(TurnClient(port)) for _ in range(11)]
        *first, last = (error_of(client.ask(Method.ALLOCATE, UDP)) for client in clients)
        assert (first, last) == ([None] * 10, 486)
        clients[0].refresh(0)
        assert error_of(clients[10].ask(Method.ALLOCATE, UDP)) is None


def test_neither_ports_nor_nonces_can_be_guessed(tmp_path_factory: pytest.TempPathFactory) -> None:
    """S-07 over the wire; what they are made of is measured beside their modules."""
    quotas = {"newAllocationsPerSecond": 0, "answersPerSecond": 0}
    directory = tmp_path_factory.mktemp("chance")
    with Gate.open(directory, settings(rtsp=False, turn=relay(quotas=quotas))) as gate:
        port = ports(gate)["UDP", "127.0.0.1"]
        nonces, found = set(), []
        with ExitStack() as stack:  # of one socket's two requests in one second the nonce may be the same
            for _ in range(300):
                client = stack.enter_context(TurnClient(port))
                found.append(client.allocate().port)
                nonces.add(client.nonce)
                client.refresh(0)
        assert len(nonces) == 300
        assert len(set(found)) > 280  # of 16,384 three are expected twice
        assert sum(abs(one - after) <= 8 for one, after in itertools.pairwise(found)) < 10
        assert 100 < sum(one < 49_152 + 8192 for one in found) < 200
