"""Multicast: one copy for everybody, out of one headgate and into another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys import ffmpeg, gstreamer
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
ASKS = {"Transport": "RTP/AVP;multicast"}


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
    ffmpeg.publish(stage, clip.file, url)
    groups.events.publishes("cam")
    reading = ffmpeg.read(stage, url, transport=FFMPEG, pictures=60, sounds=60)
    first = groups.events.reads("cam")
    session = groups.get(f"/v3/rtspsessions/get/{first['id']}")
    assert (session["transport"], session["state"]) == ("UDP-multicast", "read")
    assert [reader["id"] for reader in groups.get("/v3/paths/get/cam")["readers"]] == [first["id"]]
    program, file = gstreamer.read(stage, clip, url, transport=GSTREAMER, count=20)

    reading.program.succeed()
    assert is_excerpt(reading.pictures, clip.pictures)
    assert is_excerpt(reading.sounds, clip.sounds)
    assert program.wait() == 0 or "gst_rtspsrc_pause" in program.output, program.output
    seen = gstreamer.pictures(file)
    assert len(seen) >= 20
