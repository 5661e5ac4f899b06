"""A flood of allocations leaves descriptors for everybody else: operators, players, and our own files."""

from __future__ import annotations

import resource
import socket
from contextlib import ExitStack
from pathlib import Path

import httpx

from headgate.core.descriptors import left_by_relays
from headgate.turn.refusal import ErrorCode
from headgate.turn.stun.message import Method
from tests.journeys.gate import Gate, settings
from tests.journeys.test_turn import ports, relay
from tests.journeys.test_turn_load import UNLIMITED
from tests.journeys.turn_client import UDP, TurnClient, error_of

DESCRIPTORS = 256
PLAYERS = 20


def test_a_flood_of_allocations_leaves_descriptors(tmp_path: Path) -> None:
    with (
        Gate.open(tmp_path, settings(turn=relay(quotas=UNLIMITED))) as gate,
        ExitStack() as stack,
    ):
        turn, rtsp = ports(gate)["UDP", "127.0.0.1"], gate.port("RTSP")
        resource.prlimit(gate.process.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
        clients = [stack.enter_context(TurnClient(turn)) for _ in range(DESCRIPTORS)]
        errors = [error_of(client.ask(Method.ALLOCATE, UDP)) for client in clients]
        assert set(errors) == {None, ErrorCode.INSUFFICIENT_CAPACITY}
        assert gate.descriptors() <= DESCRIPTORS - left_by_relays(DESCRIPTORS)
        for _ in range(PLAYERS):
            with httpx.Client(base_url=gate.operator, timeout=10.0, trust_env=False) as operator:
                assert operator.get("/health").status_code == 200
            player = stack.enter_context(socket.create_connection(("127.0.0.1", rtsp), timeout=10.0))
            player.sendall(b"OPTIONS rtsp://127.0.0.1/cam RTSP/1.0\r\nCSeq: 1\r\n\r\n")
            assert player.recv(1000).startswith(b"RTSP/1.0 200")
        held = next(client for client, error in zip(clients, errors, strict=True) if error is None)
        refused = next(client for client, error in zip(clients, errors, strict=True) if error is not None)
        assert error_of(held.refresh(0)) is None
        assert error_of(refused.ask(Method.ALLOCATE, UDP)) is None, "there is room for it now"
