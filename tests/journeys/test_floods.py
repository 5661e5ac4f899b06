"""Strangers at every door that opens a descriptor: the operator's API goes on answering."""

from __future__ import annotations

import re
import resource
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import httpx

from headgate.core.descriptors import left_by_players, left_by_relays
from headgate.turn.refusal import ErrorCode
from headgate.turn.stun.message import Method
from tests.journeys.gate import Gate, settings
from tests.journeys.test_turn import ports, relay
from tests.journeys.test_turn_load import UNLIMITED
from tests.journeys.turn_client import UDP, TurnClient, error_of

DESCRIPTORS = 512
FLOOD = 300  # connections of a kind: more than there are descriptors for
OPERATORS = 50
"""Connections to the API, all at once."""
PATIENCE = 10.0  # seconds; only a failing test waits so long
OPTIONS = b"OPTIONS rtsp://127.0.0.1/cam RTSP/1.0\r\nCSeq: 1\r\n\r\n"


def _knock(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def _is_served(player: socket.socket) -> bool:
    """Whether it is answered; who is refused is cut off."""
    try:
        player.sendall(OPTIONS)
        return player.recv(1000).startswith(b"RTSP/1.0 200")
    except OSError:
        return False


def _refused(gate: Gate) -> int:
    found = re.search(r"^headgate_connections_refused_total (\d+)", gate.http.get("/metrics").text, re.M)
    assert found is not None
    return int(found[1])


def test_floods_at_every_door(tmp_path: Path) -> None:
    patient = settings(readTimeout="60s", turn=relay(quotas=UNLIMITED))
    with Gate.open(tmp_path, patient) as gate:
        turn, rtsp = ports(gate), gate.port("RTSP")
        resource.prlimit(gate.process.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
        with ExitStack() as floods:
            # Of relays: connections, which say nothing, and allocations.
            clients, errors = [], []
            for _ in range(FLOOD):
                floods.enter_context(_knock(turn["TCP", "127.0.0.1"]))
                clients.append(floods.enter_context(TurnClient(turn["UDP", "127.0.0.1"])))
                errors.append(error_of(clients[-1].ask(Method.ALLOCATE, UDP)))
            assert set(errors) == {None, ErrorCode.INSUFFICIENT_CAPACITY}
            assert gate.descriptors() <= DESCRIPTORS - left_by_relays(DESCRIPTORS)
            # Of players, who have room of their own.
            served = [_is_served(floods.enter_context(_knock(rtsp))) for _ in range(FLOOD)]
            assert DESCRIPTORS // 16 < sum(served) < FLOOD
            assert gate.descriptors() <= DESCRIPTORS - left_by_players(DESCRIPTORS)
            for _ in range(OPERATORS):
                operator = httpx.Client(base_url=gate.operator, timeout=PATIENCE, trust_env=False)
                assert floods.enter_context(operator).get("/health").status_code == 200
            assert gate.get("/v3/rtspconns/list")["itemCount"] == sum(served)
            assert _refused(gate) > FLOOD - sum(served), "those of both doors"
        until = time.monotonic() + PATIENCE
        while True:
            with _knock(rtsp) as player:
                if _is_served(player):
                    break
            assert time.monotonic() < until, "the flood is over, and there is no room"
        with TurnClient(turn["TCP", "127.0.0.1"], transport="tcp") as client:
            assert error_of(client.ask(Method.ALLOCATE, UDP)) is None
