"""F-22: a thread of the engine that stands still is replaced; what it had ends, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.journeys.client import Client
from tests.journeys.frozen import frozen, threads_named
from tests.journeys.gate import Gate, settings
from tests.journeys.test_turn import ports, relay
from tests.journeys.turn_client import TurnClient

REPLACED = 3.0  # seconds: it stands still for 2, and is replaced within 1
SLACK = 1.0  # seconds, for the way to the test's ears on a busy machine
PATIENCE = 10.0  # seconds; only a failing test waits so long
SDP = b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
SDP += b"a=fmtp:96 packetization-mode=1\r\na=control:video\r\n"


def until(so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def opened(gate: Gate, client: Client | TurnClient) -> dict[str, Any]:
    host, port = client.socket.getsockname()
    session: dict[str, Any] = gate.events.wait("session.opened", remote=f"{host}:{port}")["session"]
    return session


def listed(gate: Gate) -> set[str]:
    """The ids of all sessions of clients."""
    attributes = [item["attributes"] for item in gate.get("/v1/sessions")["data"]]
    return {its["uuid"] for its in attributes if "uuid" in its}


def test_its_sessions_end_and_everybody_is_served_again(tmp_path: Path) -> None:
    section = relay(interfaces=[{"transport": "tcp", "bind": "127.0.0.1:0"}], relayAddresses=["127.0.0.1"])
    with Gate.open(tmp_path, settings(turn=section, readTimeout="60s")) as gate, ExitStack() as clients:
        rtsp, turn = gate.port("RTSP"), ports(gate)["TCP", "127.0.0.1"]
        threads = [name for name in range(8) if threads_named(gate.process.pid, f"engine-{name}")]
        before = gate.descriptors()
        # Connections of a listener go to the threads in turn.
        publishers = [clients.enter_context(Client(rtsp)) for _ in threads]
        relayed = [clients.enter_context(TurnClient(turn, transport="tcp")) for _ in threads]
        for number, publisher in enumerate(publishers):
            publisher.record(f"still/{number}", sdp=SDP)
        for client in relayed:
            client.allocate()
        lost, *kept = [[opened(gate, one) for one in pair] for pair in zip(publishers, relayed, strict=True)]

        (thread,) = threads_named(gate.process.pid, "engine-0")
        with frozen(thread):
            began = time.monotonic()
            ends = [gate.events.closes(session) for session in lost]
            assert [end["reason"] for end in ends] == ["a bug in the server"] * 2
            assert time.monotonic() - began < REPLACED + SLACK
            assert listed(gate) == {session["id"] for pair in kept for session in pair}
            assert "headgate_engine_workers_restarted_total 1\n" in gate.http.get("/metrics").text
            # The path is free, the relay as well; the others have not been asked for anything.
            with Client(rtsp) as again, TurnClient(turn, transport="tcp") as another:
                again.record("still/0", sdp=SDP)
                another.allocate()
            for publisher in publishers[1:]:
                assert publisher.request("OPTIONS").status == 200
        until(lambda: "headgate: worker 0, which stood still, came back, and ends\n" in gate.log)
        assert "headgate: worker 0 was replaced:" in gate.log
        assert publishers[0].closed_by_server()
        until(lambda: len(threads_named(gate.process.pid, "engine-0")) == 1)
        clients.close()
        until(lambda: gate.descriptors() <= before)
        assert all(len(list(gate.events.matching("session.closed", session=one))) == 1 for one in lost)
