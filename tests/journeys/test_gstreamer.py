"""GStreamer publishes, GStreamer and ffmpeg read."""

from __future__ import annotations

import pytest

from tests.journeys import ffmpeg, gstreamer
from tests.journeys.clip import Clip, Codecs, is_excerpt
from tests.journeys.ffmpeg import Transport
from tests.journeys.gate import Gate
from tests.journeys.program import Stage, require

PICTURES = 40
SOUNDS = 40


@pytest.mark.parametrize("codecs", Codecs)
@pytest.mark.parametrize("transport", Transport)
def test_gstreamer_publishes_and_reads(
    gate: Gate, stage: Stage, clips: dict[Codecs, Clip], codecs: Codecs, transport: Transport
) -> None:
    require("gst-launch-1.0")
    clip, path = clips[codecs], f"gstreamer/{codecs.name}-{transport}".lower()
    url = gate.rtsp(path)
    gstreamer.publish(stage, clip, url, transport=transport)
    gate.events.publishes(path)

    program, file = gstreamer.read(stage, clip, url, transport=transport, count=PICTURES)
    reading = ffmpeg.read(stage, url, transport=transport, pictures=PICTURES, sounds=SOUNDS)

    gstreamer.succeed(program)
    seen = gstreamer.pictures(file)
    assert len(seen) >= PICTURES
    assert is_excerpt(seen, clip.pictures)
    reading.program.succeed()
    assert reading.program.output == ""
    assert is_excerpt(reading.pictures, clip.pictures)
    assert is_excerpt(reading.sounds, clip.sounds)
