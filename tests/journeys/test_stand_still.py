"""F-22: a thread of the engine that stands still is replaced; what it had ends, and nothing else."""

from __future__ import annotations

import re
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from headgate.core.session import CloseReason
from tests.journeys import ffmpeg
from tests.journeys.client import Client
from tests.journeys.clip import Clip
from tests.journeys.frozen import frozen, threads_named
from tests.journeys.gate import Gate, settings
from tests.journeys.namespace import own_network
from tests.journeys.program import Stage
from tests.journeys.test_multicast import MULTICAST
from tests.journeys.test_turn import ports, relay
from tests.journeys.turn_client import TurnClient

REPLACED = 3.0  # seconds: it stands still for 2, and is replaced within 1
SLACK = 1.0  # seconds, for the way to the test's ears on a busy machine
PATIENCE = 20.0  # seconds; only a failing test waits so long
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


def engine_threads(gate: Gate) -> list[str]:
    """Their names. Each may be there twice: one of them has been replaced."""
    names = [f"engine-{number}" for number in range(64)]
    return [name for name in names if threads_named(gate.process.pid, name)]


def listed(gate: Gate) -> set[str]:
    """The ids of all sessions of clients."""
    attributes = [item["attributes"] for item in gate.get("/v1/sessions")["data"]]
    return {its["uuid"] for its in attributes if "uuid" in its}


def test_its_sessions_end_and_everybody_is_served_again(tmp_path: Path) -> None:
    section = relay(interfaces=[{"transport": "tcp", "bind": "127.0.0.1:0"}], relayAddresses=["127.0.0.1"])
    with Gate.open(tmp_path, settings(turn=section, readTimeout="60s")) as gate, ExitStack() as clients:
        rtsp, turn = gate.port("RTSP"), ports(gate)["TCP", "127.0.0.1"]
        threads = engine_threads(gate)
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
            assert [end["reason"] for end in ends] == [CloseReason.FAULT] * 2
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


def is_fed_anew(gate: Gate, path: str, *, before: dict[str, Any]) -> bool:
    """Over UDP, by another session than before."""
    source = gate.get(f"/v3/paths/get/{path}")["source"]
    if source is None or source["id"] == before["id"]:
        return False
    answer = gate.http.get(f"/v3/rtspsessions/get/{source['id']}")
    if answer.status_code == 404:
        return False  # it has just ended
    session = answer.json()
    assert session["transport"] == "UDP"
    return bool(session["bytesReceived"] > 0)


def test_a_source_whose_datagrams_it_heard_begins_anew(
    gate: Gate, tmp_path: Path, stage: Stage, clip: Clip
) -> None:
    """Whichever thread has the connection to it, and over what it was."""
    ffmpeg.publish(stage, clip.file, gate.rtsp("stand/still"))
    gate.events.publishes("stand/still")
    names = [f"pulled/{number}" for number in range(2)]  # their connections are of different threads
    source = {"source": gate.rtsp("stand/still"), "rtspTransport": "udp"}
    with Gate.open(tmp_path, settings(paths=dict.fromkeys(names, source))) as second:
        before = [second.events.publishes(name) for name in names]
        (thread,) = threads_named(second.process.pid, "engine-0")
        with frozen(thread):
            for session in before:
                second.events.closes(session)
            for name, session in zip(names, before, strict=True):
                until(lambda name=name, session=session: is_fed_anew(second, name, before=session))
        for name in names:
            second.says(f"source of path '{name}': {CloseReason.FAULT}")


def on_the_first(gate: Gate, threads: int, clients: ExitStack) -> Client:
    """A connection of the first thread, after one of each other: they go to the threads in turn."""
    for _ in range(threads - 1):
        clients.enter_context(Client(gate.port("RTSP")))
    return clients.enter_context(Client(gate.port("RTSP")))


def test_those_who_hear_a_group_hear_it_again(tmp_path: Path) -> None:
    configuration = settings(
        **{**MULTICAST, "rtspTransports": ["udp", "multicast", "tcp"]}, readTimeout="60s"
    )
    with own_network(), Gate.open(tmp_path, configuration) as gate, ExitStack() as clients:
        threads = len(engine_threads(gate))
        if threads == 1:
            pytest.skip("on one processor there is one thread: nobody goes on without it")
        publisher = clients.enter_context(Client(gate.port("RTSP")))
        publisher.record("cam", sdp=SDP)
        # Flows that send go to the threads in turn as well: the first to the first.
        one = on_the_first(gate, threads, clients)
        transport = {"Transport": "RTP/AVP;unicast;client_port=42100-42101"}
        assert one.request("SETUP", "cam/trackID=0", headers=transport).status == 200
        assert one.request("PLAY", "cam").status == 200
        other = on_the_first(gate, threads, clients)
        reply = other.request("SETUP", "cam/trackID=0", headers={"Transport": "RTP/AVP;multicast"})
        found = re.search(r"destination=([\d.]+);port=(\d+)-", reply.headers["transport"])
        assert found, reply
        heard = clients.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        heard.bind((found[1], int(found[2])))
        membership = socket.inet_aton(found[1]) + socket.inet_aton("127.0.0.1")
        heard.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        heard.settimeout(0.1)
        assert other.request("PLAY", "cam").status == 200
        number = hears(heard, publisher, 0)

        (thread,) = threads_named(gate.process.pid, "engine-1")
        with frozen(thread):
            # Two of the connections that nobody uses, and what sends to the group.
            until(lambda: "worker 1 was replaced: 3 connections, flows" in gate.log)
            assert other.request("OPTIONS").status == 200
            hears(heard, publisher, number)


def hears(heard: socket.socket, publisher: Client, number: int) -> int:
    """Packets are sent until one of them is heard; the number of the last."""
    first, deadline = number + 1, time.monotonic() + PATIENCE
    while True:
        number += 1
        packet = b"\x80\xe0" + number.to_bytes(2) + (number * 3000).to_bytes(4) + b"\1\2\3\4\x65" + bytes(100)
        publisher.send(b"$\0" + len(packet).to_bytes(2) + packet)
        with suppress(TimeoutError):
            while int.from_bytes(heard.recv(2000)[2:4]) < first:
                pass
            return number
        assert time.monotonic() < deadline, "the group hears nothing"


CHILD = """
import fcntl, os, sys
from headgate.engine import Engine
engine = Engine(workers=2, event_capacity=100)
flags = fcntl.fcntl(2, fcntl.F_GETFL)
fcntl.fcntl(2, fcntl.F_SETFL, flags | os.O_NONBLOCK)
try:
    while True:
        os.write(2, b"full " * 100)
except BlockingIOError:
    fcntl.fcntl(2, fcntl.F_SETFL, flags)
for _ in iter(sys.stdin.readline, ""):
    engine.bind_udp("127.0.0.1", 0)
    print(engine.workers_restarted(), flush=True)
os._exit(0)
"""


def test_nobody_who_reads_its_errors_is_waited_for() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:

        def restarted() -> int:
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write("\n")
            child.stdin.flush()
            assert select.select([child.stdout], [], [], PATIENCE)[0], "a verb waits for whoever reads"
            return int(child.stdout.readline())

        try:
            assert restarted() == 0
            (first,) = threads_named(child.pid, "engine-0")
            with frozen(first):
                until(lambda: restarted() == 1)
                (second,) = (one for one in threads_named(child.pid, "engine-0") if one != first)
                # And the one that has its place as well.
                with frozen(second):
                    until(lambda: restarted() == 2)
        finally:
            child.kill()
