"""Multicast: one copy for everybody, out of one headgate and into another."""

from __future__ import annotations

import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.journeys import ffmpeg, gstreamer
from tests.journeys.client import Client
from tests.journeys.clip import Clip, is_excerpt
from tests.journeys.gate import Gate, settings
from tests.journeys.namespace import own_network
from tests.journeys.program import Stage, require

FFMPEG, GSTREAMER = "udp_multicast", "udp-mcast"
MULTICAST = {
    "rtspTransports": ["multicast", "tcp"],
    "multicastIPRange": "239.255.42.0/29",
    "multicastRTPPort": 42000,
    "multicastRTCPPort": 42001,
}


@pytest.fixture(autouse=True)
def network() -> Iterator[None]:
    with own_network():
        yield


@pytest.fixture
def groups(network: None, tmp_path: Path) -> Iterator[Gate]:
    """A server that sends to groups."""
    with Gate.open(tmp_path, settings(**MULTICAST)) as gate:
        yield gate
        print(gate.log)


def test_ffmpeg_and_gstreamer_hear_one_sender(groups: Gate, stage: Stage, clip: Clip) -> None:
    require("gst-launch-1.0")
    url = groups.rtsp("cam")
    publisher = ffmpeg.publish(stage, clip.file, url)
    groups.events.publishes("cam")
    # Until there is sound: whoever begins before it has its clock only with the next report.
    publisher.until(lambda: groups.get("/v3/paths/get/cam")["bytesReceived"] > 50_000)
    reading = ffmpeg.read(stage, url, transport=FFMPEG, pictures=60, sounds=60)
    first = groups.events.reads("cam")
    session = groups.get(f"/v3/rtspsessions/get/{first['id']}")
    assert (session["transport"], session["state"]) == ("UDP-multicast", "read")
    assert [reader["id"] for reader in groups.get("/v3/paths/get/cam")["readers"]] == [first["id"]]
    program, file = gstreamer.read(stage, clip, url, transport=GSTREAMER, count=20)

    reading.program.succeed()
    assert is_excerpt(reading.pictures, clip.pictures)
    assert is_excerpt(reading.sounds, clip.sounds)
    gstreamer.succeed(program)
    # Who comes late begins where it is: up to the next key frame a decoder shows what it can make of that.
    whole = set(clip.pictures)
    assert sum(picture in whole for picture in gstreamer.pictures(file)) >= 10
    path = groups.get("/v3/paths/get/cam")
    assert 0 < path["bytesSent"] <= path["bytesReceived"], "once, for both"


def test_what_a_reader_reports_is_its_sessions(groups: Gate, stage: Stage, clip: Clip) -> None:
    require("gst-launch-1.0")
    ffmpeg.publish(stage, clip.file, groups.rtsp("cam"))
    groups.events.publishes("cam")
    reader, _ = gstreamer.read(stage, clip, groups.rtsp("cam"), transport=GSTREAMER, count=10_000)
    session = groups.events.reads("cam")

    def reported() -> bool:
        totals = groups.get(f"/v3/rtspsessions/get/{session['id']}")
        return bool(totals["rtcpPacketsReceived"] > 0 and totals["rtcpPacketsInError"] == 0)

    reader.until(reported)


def test_nothing_is_sent_once_the_last_reader_was_kicked(groups: Gate, stage: Stage, clip: Clip) -> None:
    ffmpeg.publish(stage, clip.file, groups.rtsp("cam"))
    groups.events.publishes("cam")
    with Client(groups.port("RTSP")) as client, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard:
        reply = client.request("SETUP", "cam/trackID=0", headers={"Transport": "RTP/AVP;multicast"})
        found = re.search(r"destination=([\d.]+);port=(\d+)-", reply.headers["transport"])
        assert found, reply
        heard.bind((found[1], int(found[2])))
        heard.setsockopt(
            socket.IPPROTO_IP,
            socket.IP_ADD_MEMBERSHIP,
            socket.inet_aton(found[1]) + socket.inet_aton("127.0.0.1"),
        )
        heard.settimeout(5.0)
        assert client.request("PLAY", "cam").status == 200
        session = groups.events.reads("cam")
        assert heard.recv(2000)
        assert groups.http.post(f"/v3/rtspsessions/kick/{session['id']}").status_code == 200
        end = time.monotonic() + 1.0
        heard.settimeout(0.5)  # a dozen pictures
        with suppress(TimeoutError):
            while heard.recv(2000):
                assert time.monotonic() < end, "still sent"
        assert client.closed_by_server()
    assert groups.events.closes(session)["reason"] == "kicked by an operator"


def test_pulled_from_a_group(groups: Gate, stage: Stage, clip: Clip, tmp_path: Path) -> None:
    publisher = ffmpeg.publish(stage, clip.file, groups.rtsp("cam"))
    groups.events.publishes("cam")
    conf = {"source": groups.rtsp("cam"), "rtspTransport": "multicast"}
    (tmp_path / "second").mkdir()
    with Gate.open(tmp_path / "second", settings(paths={"cam": conf})) as second:
        session = second.events.publishes("cam")
        reading = ffmpeg.read(stage, second.rtsp("cam"), transport="tcp", pictures=30, sounds=30)
        reading.program.succeed()
        assert is_excerpt(reading.pictures, clip.pictures)
        assert is_excerpt(reading.sounds, clip.sounds)
        pulling = second.get(f"/v3/rtspsessions/get/{session['id']}")
        assert (pulling["state"], pulling["transport"]) == ("publish", "UDP-multicast")
        assert (pulling["rtpPacketsLost"], pulling["rtpPacketsInError"]) == (0, 0)
        assert pulling["rtcpPacketsReceived"] > 0
        there = groups.events.reads("cam")
        assert groups.get(f"/v3/rtspsessions/get/{there['id']}")["transport"] == "UDP-multicast"
        publisher.end()
        second.events.wait("path.notReady", path="cam")
        print(second.log)


def test_a_group_that_falls_silent_is_given_up(stage: Stage, clip: Clip, tmp_path: Path) -> None:
    patient = {**MULTICAST, "readTimeout": "60s"}
    (tmp_path / "second").mkdir()
    with Gate.open(tmp_path, settings(**patient)) as first:
        publisher = ffmpeg.publish(stage, clip.file, first.rtsp("cam"))
        first.events.publishes("cam")
        conf = {"source": first.rtsp("cam"), "rtspTransport": "multicast"}
        with Gate.open(tmp_path / "second", settings(paths={"cam": conf})) as second:
            session = second.events.publishes("cam")
            first.events.reads("cam")
            publisher.send(signal.SIGSTOP)
            second.events.closes(session)
            second.says("source of path 'cam': no packet came")


def test_where_multicast_is_off_a_source_says_so(stage: Stage, clip: Clip, tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    with Gate.open(tmp_path, settings(rtspTransports=["tcp"])) as first:
        ffmpeg.publish(stage, clip.file, first.rtsp("cam"))
        first.events.publishes("cam")
        conf = {"source": first.rtsp("cam"), "rtspTransport": "multicast"}
        with Gate.open(tmp_path / "second", settings(paths={"cam": conf})) as second:
            second.says("source of path 'cam': the server does not have that transport")
