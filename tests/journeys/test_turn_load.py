"""Many allocations, and many packets (reliability F-01, F-02), shortened: what must not happen shows at once.

Rates, and coturn's beside them, are measured by `make bench` with an optimised engine (`turn-allocate-64`,
`turn-peer-many`); here nothing may be lost, and nothing grow.
"""

from __future__ import annotations

import resource
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from headgate.turn.stun.address import TransportAddress
from tests.journeys.gate import Gate, settings
from tests.journeys.test_turn import ports, relay
from tests.journeys.turn_client import TurnClient, error_of

IDLE = 2000
"""Allocations, of 10,000; for as long as it takes to refresh all of them, not ten minutes."""
PAIRS, ROUNDS, DATA = 100, 200, 160
UNLIMITED = {
    "newAllocationsPerSecond": 0,
    "allocationsPerAddress": 0,
    "allocationsPerUser": 0,
    "answersPerSecond": 0,
}


@pytest.fixture(autouse=True)
def descriptors() -> Iterator[None]:
    """As many as may be: both ends of every allocation are on this machine."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Gate]:
    with Gate.open(tmp_path, settings(rtsp=False, turn=relay(quotas=UNLIMITED))) as gate:
        yield gate


def test_what_an_idle_allocation_costs(busy: Gate) -> None:
    """F-01: at most 8 kB each, 12 kB with a channel, and not one that ends before its time."""
    port = ports(busy)["UDP", "127.0.0.1"]
    peer = TransportAddress("127.0.0.1", 9)
    with ExitStack() as stack:

        def allocated(count: int) -> list[TurnClient]:
            clients = [stack.enter_context(TurnClient(port)) for _ in range(count)]
            for client in clients:
                client.allocate()
            return clients

        allocated(200)  # what is made once
        memory, descriptors = busy.resident(), busy.descriptors()
        began = time.monotonic()
        clients = allocated(IDLE)
        print(f"{IDLE / (time.monotonic() - began):.0f} a second from one client that waits for each")
        idle = (busy.resident() - memory) / IDLE
        assert busy.descriptors() - descriptors == IDLE
        for client in clients:
            assert client.bind(0x4000, peer) is None
        bound = (busy.resident() - memory) / IDLE
        print(f"{idle:.0f} bytes each, with a channel {bound:.0f}")
        assert idle <= 8 * 1024
        assert bound <= 12 * 1024
        assert {error_of(client.refresh(600)) for client in clients} == {None}
        for client in clients:
            client.refresh(0)
        busy.events.wait("relay.closed", address=":".join(map(str, clients[-1].socket.getsockname())))
        assert busy.descriptors() - descriptors <= 8


def test_a_hundred_flows_lose_nothing(busy: Gate) -> None:
    """F-02: 160 bytes a packet, to a plain peer and back, in channels."""
    port = ports(busy)["UDP", "127.0.0.1"]
    with ExitStack() as stack:
        echo = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        echo.bind(("127.0.0.1", 0))
        echo.settimeout(10)
        peer = TransportAddress(*echo.getsockname())
        clients = [stack.enter_context(TurnClient(port)) for _ in range(PAIRS)]
        for client in clients:
            client.allocate()
            assert client.bind(0x4000, peer) is None

        def send_back() -> None:
            for _ in range(PAIRS * ROUNDS):
                data, source = echo.recvfrom(2048)
                echo.sendto(data, source)

        thread = threading.Thread(target=send_back)
        thread.start()
        began = time.monotonic()
        for n in range(ROUNDS):
            for client in clients:
                client.channel(0x4000, struct.pack(">I", n) + bytes(DATA - 4))
            for client in clients:
                assert client.receive()[4:8] == struct.pack(">I", n)
        took = time.monotonic() - began
        thread.join()
        print(f"{2 * PAIRS * ROUNDS / took:.0f} relayed packets a second, as fast as these clients are")
