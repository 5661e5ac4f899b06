"""ffmpeg publishes, ffmpeg and ffprobe read: every codec over every pair of transports."""

from __future__ import annotations

import pytest

from tests.journeys import ffmpeg
from tests.journeys.clip import FRAME_RATE, HEIGHT, WIDTH, Clip, Codecs, is_excerpt
from tests.journeys.ffmpeg import Transport
from tests.journeys.gate import Gate
from tests.journeys.program import Stage

PICTURES = 2 * FRAME_RATE
SOUNDS = 60


@pytest.mark.parametrize("codecs", Codecs)
@pytest.mark.parametrize("transport", Transport)
def test_what_is_read_is_what_was_published(
    gate: Gate, stage: Stage, clips: dict[Codecs, Clip], codecs: Codecs, transport: Transport
) -> None:
    clip, path = clips[codecs], f"ffmpeg/{codecs.name}-{transport}".lower()
    url = gate.rtsp(path)
    ffmpeg.publish(stage, clip.file, url, transport=transport, forever=False)
    publisher = gate.events.publishes(path)

    readings = [
        ffmpeg.read(stage, url, transport=reader, pictures=PICTURES, sounds=SOUNDS) for reader in Transport
    ]
    video, audio = ffmpeg.probe(url)

    assert (video["codec_name"], video["width"], video["height"]) == (clip.video_codec, WIDTH, HEIGHT)
    assert (audio["codec_name"], audio["sample_rate"]) == (clip.audio_codec, "48000")
    for reading in readings:
        reading.program.succeed()
        assert reading.program.output == ""
        assert len(reading.pictures) == PICTURES
        assert is_excerpt(reading.pictures, clip.pictures)
        assert len(reading.sounds) == SOUNDS
        assert is_excerpt(reading.sounds, clip.sounds)
    session = gate.get(f"/v3/rtspsessions/get/{publisher['id']}")
    assert session["transport"] == transport.upper()
    assert session["rtpPacketsLost"] == session["rtpPacketsInError"] == 0
    assert session["bytesReceived"] > 0


def test_a_path_nobody_publishes_is_not_found(gate: Gate, clip: Clip) -> None:
    with pytest.raises(AssertionError, match="404"):
        ffmpeg.probe(gate.rtsp("ffmpeg/nobody"))
