"""Whatever a client sends, it gets the protocol's error, and nobody else notices."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator

import pytest

from tests.journeys import ffmpeg
from tests.journeys.client import PATIENCE, Client, Frame
from tests.journeys.clip import Clip
from tests.journeys.gate import READ_TIMEOUT, Gate
from tests.journeys.program import Stage

SDP_TYPE = "application/sdp"
KIB, MIB = 1024, 1024 * 1024
SDP = (
    b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    b"m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=0\r\n"
)


def head(line: str, *headers: str) -> bytes:
    return "\r\n".join([line, *headers, "", ""]).encode()


HOSTILE = {  # S-14; reused cookies of a tunnel are in tests/media/rtsp/test_tunnel.py
    "a head of more than 16 kB": (head("OPTIONS * RTSP/1.0", "CSeq: 1", f"X: {'a' * 20 * KIB}"), {400}),
    "a header of 64 kB": (head("OPTIONS * RTSP/1.0", "CSeq: 1", f"X: {'a' * 64 * KIB}"), {400}),
    "10,000 headers": (head("OPTIONS * RTSP/1.0", "CSeq: 1", *["a:b"] * 10_000), {400}),
    "1,000 headers in a short head": (head("OPTIONS * RTSP/1.0", "CSeq: 1", *["a:b"] * 1_000), {400}),
    "an SDP of more than 128 kB": (
        head("ANNOUNCE rtsp://h/bad RTSP/1.0", "CSeq: 1", f"Content-Length: {200 * KIB}") + bytes(200 * KIB),
        {413},
    ),
    "a negative Content-Length": (head("OPTIONS * RTSP/1.0", "CSeq: 1", "Content-Length: -1"), {400}),
    "a Content-Length past every integer": (
        head("OPTIONS * RTSP/1.0", "CSeq: 1", f"Content-Length: {'9' * 40}"),
        {400, 413},
    ),
    "a Content-Length of 2^63": (
        head("OPTIONS * RTSP/1.0", "CSeq: 1", f"Content-Length: {2**63}"),
        {400, 413},
    ),
    "a description without a Content-Length": (
        head("ANNOUNCE rtsp://h/bad RTSP/1.0", "CSeq: 1", f"Content-Type: {SDP_TYPE}") + SDP,
        {400},
    ),
    "a Content-Length that is no number": (head("OPTIONS * RTSP/1.0", "CSeq: 1", "Content-Length: x"), {400}),
    "a TLS handshake": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64), {400}),
    "no CSeq": (head("OPTIONS * RTSP/1.0"), {400}),
    "RTSP/2.0": (head("OPTIONS * RTSP/2.0", "CSeq: 1"), {505}),
    "an unknown method": (head("BREW rtsp://h/bad RTSP/1.0", "CSeq: 1"), {501}),
    "an SDP without a track": (
        head("ANNOUNCE rtsp://h/bad RTSP/1.0", "CSeq: 1", f"Content-Type: {SDP_TYPE}", "Content-Length: 5")
        + b"v=0\r\n",
        {400},
    ),
    "a path out of the tree": (head("DESCRIBE rtsp://h/../../etc/passwd RTSP/1.0", "CSeq: 1"), {400, 404}),
}

TRANSPORTS = {
    "ports reversed": "RTP/AVP;unicast;client_port=5001-5000;mode=record",
    "ports past 65535": "RTP/AVP;unicast;client_port=70000-70001;mode=record",
    "port 0": "RTP/AVP;unicast;client_port=0-1;mode=record",
    "channels past 255": "RTP/AVP/TCP;unicast;interleaved=255-256;mode=record",
    "channels reversed": "RTP/AVP/TCP;unicast;interleaved=1-0;mode=record",
    "a profile nobody has": "RTP/XYZ;unicast;client_port=5000-5001;mode=record",
    "nothing": ";;;,,,===",
}


@pytest.fixture(scope="module")
def bystander(
    shared_gate: Gate, clips: dict[object, Clip], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    """A publisher and a reader who are there all the while."""
    clip = next(iter(clips.values()))
    with Stage.set_up(tmp_path_factory.mktemp("bystander")) as stage:
        ffmpeg.publish(stage, clip.file, shared_gate.rtsp("bystander/hostile"))
        shared_gate.events.publishes("bystander/hostile")
        with Client(shared_gate.port("RTSP")) as reader:
            reader.play("bystander/hostile")
            yield reader


@pytest.fixture(autouse=True)
def _undisturbed(gate: Gate, bystander: Client) -> Iterator[None]:
    """After each journey here: no packet was lost to the bystander, and the server did not swell."""
    before = gate.resident()
    yield
    # What waited in the kernel while the test ran comes first: a gap anywhere shows.
    sequences = [_sequence(bystander) for _ in range(20)]
    assert all(late == (early + 1) & 0xFFFF for early, late in itertools.pairwise(sequences))
    assert gate.resident() - before < 32 * MIB
    assert gate.running


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_request_gets_the_protocols_error(gate: Gate, case: str) -> None:
    request, expected = HOSTILE[case]
    with Client(gate.port("RTSP")) as client:
        client.send(request)
        assert client.reply().status in expected


@pytest.mark.parametrize("case", TRANSPORTS)
def test_a_hostile_transport_gets_the_protocols_error(gate: Gate, case: str) -> None:
    path = f"bad/transport-{list(TRANSPORTS).index(case)}"
    with Client(gate.port("RTSP")) as client:
        assert client.request("ANNOUNCE", path, body=SDP).status == 200
        reply = client.request("SETUP", f"{path}/trackID=0", headers={"Transport": TRANSPORTS[case]})
        assert reply.status in {400, 461}


def test_a_head_without_end_is_cut_off(gate: Gate) -> None:
    with Client(gate.port("RTSP")) as client:
        client.send(b"OPTIONS * RTSP/1.0\r\n")
        # The server takes and forgets what comes for a moment, so that its answer reaches a client
        # that is still writing; then it closes.
        with pytest.raises(ConnectionError):
            _write_for(client, seconds=PATIENCE)


def test_a_stolen_session_id_opens_nothing(gate: Gate) -> None:
    """S-13."""
    port = gate.port("RTSP")
    with Client(port) as owner, Client(port) as thief:
        owner.record("bad/stolen", sdp=SDP)
        publisher = gate.events.publishes("bad/stolen")
        for method in ("TEARDOWN", "PAUSE", "RECORD", "GET_PARAMETER"):
            assert thief.request(method, "bad/stolen", headers={"Session": owner.session}).status == 454
        assert gate.get(f"/v3/rtspsessions/get/{publisher['id']}")["state"] == "publish"


def test_a_stolen_session_id_stops_no_reader(gate: Gate, bystander: Client) -> None:
    """S-13: from another connection and another address. The victim goes on watching."""
    path = "bystander/hostile"
    with Client(gate.port("RTSP"), source="127.0.0.2") as thief:
        for method in ("PLAY", "PAUSE", "SET_PARAMETER", "GET_PARAMETER", "TEARDOWN"):
            reply = thief.request(method, path, headers={"Session": bystander.session})
            assert reply.status == 454, method
        transport = {"Transport": "RTP/AVP/TCP;unicast;interleaved=2-3", "Session": bystander.session}
        assert thief.request("SETUP", f"{path}/trackID=0", headers=transport).status == 454
    _sequence(bystander)


def test_packets_on_channels_nobody_set_up_are_refused(gate: Gate) -> None:
    with Client(gate.port("RTSP")) as client:
        client.record("bad/channels", sdp=SDP)
        publisher = gate.events.publishes("bad/channels")
        before = _refused_frames(gate)
        client.send(b"".join(_frame(channel, _rtp(1)) for channel in range(2, 256)))
        assert client.request("GET_PARAMETER", "bad/channels").status == 200
        session = gate.get(f"/v3/rtspsessions/get/{publisher['id']}")
        assert session["rtpPacketsReceived"] == 0
        assert _refused_frames(gate) - before == 254


def test_packets_too_short_to_be_rtp_are_counted(gate: Gate) -> None:
    with Client(gate.port("RTSP")) as client:
        client.record("bad/short", sdp=SDP)
        publisher = gate.events.publishes("bad/short")
        client.send(b"".join(_frame(0, _rtp(1)[:size]) for size in range(12)))
        client.send(b"".join(_frame(1, b"\x80\xc8\0\1"[:size]) for size in range(4)))
        client.send(_frame(0, _rtp(1)))
        assert client.request("GET_PARAMETER", "bad/short").status == 200
        session = gate.get(f"/v3/rtspsessions/get/{publisher['id']}")
        assert session["rtpPacketsInError"] == 12
        assert session["rtcpPacketsInError"] == 4
        assert session["rtpPacketsReceived"] == 1


def test_a_publisher_of_noise_ends_nothing_but_itself(gate: Gate) -> None:
    """Well-formed RTP whose payloads are every kind of wrong H.264, seen by a reader."""
    noise = random.Random(2326)
    with Client(gate.port("RTSP")) as publisher, Client(gate.port("RTSP")) as reader:
        publisher.record("bad/noise", sdp=SDP)
        gate.events.publishes("bad/noise")
        reader.play("bad/noise")
        for sequence in range(2000):
            publisher.send(_frame(0, _rtp(sequence) + noise.randbytes(sequence % 40)))
        assert publisher.request("GET_PARAMETER", "bad/noise").status == 200
        assert reader.request("GET_PARAMETER", "bad/noise").status == 200


def test_a_silent_connection_is_closed(gate: Gate) -> None:
    with Client(gate.port("RTSP")) as silent, Client(gate.port("RTSP")) as dribbling:
        dribbling.send(b"OPTIONS * RT")
        assert silent.closed_by_server(timeout=READ_TIMEOUT + 2)
        assert dribbling.closed_by_server(timeout=READ_TIMEOUT + 2)


def test_a_crowd_that_comes_and_goes_leaves_nothing(gate: Gate) -> None:
    port = gate.port("RTSP")
    for _ in range(500):
        with Client(port) as client:
            client.send(b"DESCRIBE rtsp://h/")
    with Client(port) as client:
        assert client.request("OPTIONS").status == 200
        listed = gate.get("/v3/rtspconns/list?itemsPerPage=1000")["items"]
        assert [item["remoteAddr"] for item in listed if item["remoteAddr"] == client.address]
        assert len(listed) < 50


def _write_for(client: Client, *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        client.send(b"a" * 64 * KIB)


def _sequence(client: Client) -> int:
    while not isinstance(frame := client.read(), Frame) or frame.channel != 0:
        continue
    return frame.sequence


def _frame(channel: int, packet: bytes) -> bytes:
    return b"$" + bytes([channel]) + len(packet).to_bytes(2) + packet


def _rtp(sequence: int) -> bytes:
    """An RTP header, payload type 96."""
    return b"\x80\x60" + (sequence & 0xFFFF).to_bytes(2) + (sequence * 3000).to_bytes(4) + b"HEAD"


def _refused_frames(gate: Gate) -> float:
    """Of all connections."""
    lines = [line for line in gate.http.get("/metrics").text.splitlines() if "frames_refused" in line]
    assert lines, "not counted"
    return sum(float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#"))
