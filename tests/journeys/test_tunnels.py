"""RTSP where only HTTP gets through: other people's clients, in tunnels."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.journeys import ffmpeg, gstreamer
from tests.journeys.client import PATIENCE, Client, Frame
from tests.journeys.clip import Clip, is_excerpt
from tests.journeys.ffmpeg import Transport, Tunnelled
from tests.journeys.gate import READ_TIMEOUT, Gate
from tests.journeys.program import Stage, require
from tests.journeys.tunnel import WebSocketClient

PICTURES = 40
SOUNDS = 40
TRUSTING = ("tls-validation-flags=0",)
"""GStreamer believes any certificate then."""
SDP = (
    b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    b"m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=0\r\n"
)


def tunnels(gate: Gate, *, protocol: str = "rtsp") -> set[tuple[str, str]]:
    """Session and tunnel of every connection that has a session."""
    connections = gate.get(f"/v3/{protocol}conns/list?itemsPerPage=1000")["items"]
    return {(item["session"], item["tunnel"]) for item in connections if item["session"]}


@pytest.mark.parametrize(("transport", "service"), [(Tunnelled.HTTP, "RTSP"), (Tunnelled.HTTPS, "RTSPS")])
def test_ffmpeg_reads_in_http(
    tls_gate: Gate, stage: Stage, clip: Clip, transport: Tunnelled, service: str
) -> None:
    path = f"tunnel/ffmpeg-{transport}"
    ffmpeg.publish(stage, clip.file, tls_gate.rtsp(path), forever=False)
    tls_gate.events.publishes(path)
    url = f"rtsp://127.0.0.1:{tls_gate.port(service)}/{path}"
    reading = ffmpeg.read(stage, url, transport=transport, pictures=PICTURES, sounds=SOUNDS)
    reader = tls_gate.events.reads(path)
    assert (reader["id"], "http") in tunnels(tls_gate, protocol=service.lower())
    said = tls_gate.says(f"{service} session {reader['number']} of")
    assert "(in http) opened" in said
    reading.program.succeed()
    assert reading.program.output == ""
    assert is_excerpt(reading.pictures, clip.pictures)
    assert is_excerpt(reading.sounds, clip.sounds)


@pytest.mark.parametrize("scheme", ["rtsph", "rtspsh"])
def test_gstreamer_publishes_and_reads_in_http(tls_gate: Gate, stage: Stage, clip: Clip, scheme: str) -> None:
    require("gst-launch-1.0")
    path = f"tunnel/gstreamer-{scheme}"
    service = "RTSPS" if "s" in scheme.removeprefix("rtsp") else "RTSP"
    url = f"{scheme}://127.0.0.1:{tls_gate.port(service)}/{path}"
    gstreamer.publish(stage, clip, url, transport=Transport.TCP, options=TRUSTING)
    publisher = tls_gate.events.publishes(path)
    assert (publisher["id"], "http") in tunnels(tls_gate, protocol=service.lower())

    program, file = gstreamer.read(
        stage, clip, url, transport=Transport.TCP, count=PICTURES, options=TRUSTING
    )
    reading = ffmpeg.read(
        stage, tls_gate.rtsp(path), transport=Transport.TCP, pictures=PICTURES, sounds=SOUNDS
    )

    gstreamer.succeed(program)
    assert is_excerpt(gstreamer.pictures(file), clip.pictures)
    reading.program.succeed()
    assert is_excerpt(reading.pictures, clip.pictures)
    assert is_excerpt(reading.sounds, clip.sounds)


def test_a_kick_ends_a_client_in_http(gate: Gate, stage: Stage, clip: Clip) -> None:
    ffmpeg.publish(stage, clip.file, gate.rtsp("tunnel/kicked"))
    gate.events.publishes("tunnel/kicked")
    watching = ffmpeg.watch(stage, gate.rtsp("tunnel/kicked"), transport=Tunnelled.HTTP)
    reader = gate.events.reads("tunnel/kicked")
    assert gate.http.delete(f"/v1/sessions/{reader['number']}").status_code == 204
    watching.wait()
    assert not any(session == reader["id"] for session, _ in tunnels(gate))


def test_read_in_a_websocket_what_ffmpeg_publishes(gate: Gate, stage: Stage, clip: Clip) -> None:
    ffmpeg.publish(stage, clip.file, gate.rtsp("tunnel/websocket"))
    gate.events.publishes("tunnel/websocket")
    with Client(gate.port("RTSP")) as plain, WebSocketClient(gate.port("RTSP")) as client:
        client.play("tunnel/websocket")
        reader = gate.events.reads("tunnel/websocket")
        assert (reader["id"], "websocket") in tunnels(gate)
        plain.play("tunnel/websocket")
        seen = {frame.sequence: frame.packet for frame in packets(client, 300)}
        same = [
            frame.packet == seen[frame.sequence] for frame in packets(plain, 200) if frame.sequence in seen
        ]
        assert len(same) > 50
        assert all(same)
        assert client.websocket.ping().wait(PATIENCE)
        assert gate.http.post(f"/v3/rtspsessions/kick/{reader['id']}").is_success
        assert client.closed_by_server()
        assert client.websocket.close_code == 1000


def test_publish_in_a_websocket(gate: Gate) -> None:
    with WebSocketClient(gate.port("RTSP")) as publisher, Client(gate.port("RTSP")) as reader:
        publisher.record("tunnel/published", sdp=SDP)
        gate.events.publishes("tunnel/published")
        reader.play("tunnel/published")
        reader.request("GET_PARAMETER", "tunnel/published")  # behind its answer the reader plays
        sent = [b"\x80\xe0" + n.to_bytes(2) + (n * 3000).to_bytes(4) + b"HEAD\x65key" for n in range(5)]
        for packet in sent:
            publisher.send(b"$\0" + len(packet).to_bytes(2) + packet)
        assert [frame.packet for frame in packets(reader, 5)] == sent


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"404"),
        (b"GET / HTTP/1.1\r\nx-sessioncookie: " + b"c" * 10_000 + b"\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nx-sessioncookie: c\r\nContent-Length: 9223372036854775808\r\n\r\n", b"404"),
        (b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n", b"400"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"400"),
    ],
)
def test_what_is_no_tunnel_is_answered_and_closed(gate: Gate, head: bytes, status: bytes) -> None:
    with socket.create_connection(("127.0.0.1", gate.port("RTSP")), PATIENCE) as browser:
        browser.sendall(head)
        answer = b"".join(iter(lambda: browser.recv(4096), b""))
    assert answer.split(b" ", 2)[1] == status


def test_a_crowd_of_halves_leaves_nothing(gate: Gate) -> None:
    """GETs that no POST follows, and more of them than are answered."""
    port = gate.port("RTSP")
    halves = [socket.create_connection(("127.0.0.1", port), PATIENCE) for _ in range(100)]
    for n, half in enumerate(halves):
        half.sendall(f"GET / HTTP/1.0\r\nx-sessioncookie: half-{n}\r\n\r\n".encode())
    for half in halves:
        assert half.recv(4096).startswith(b"HTTP/1.1 200 OK")
        half.settimeout(READ_TIMEOUT + PATIENCE)
        assert half.recv(1) == b""
        half.close()
    listed = gate.get("/v3/rtspconns/list?itemsPerPage=1000")["items"]
    assert not [item for item in listed if item["tunnel"] == "http" and not item["session"]]


def packets(client: Client, count: int) -> Iterator[Frame]:
    """RTP of the first track."""
    while count > 0:
        if isinstance(frame := client.read(), Frame) and frame.channel == 0:
            count -= 1
            yield frame
