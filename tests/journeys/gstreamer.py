"""GStreamer as a publisher and a reader."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from tests.journeys.clip import HEIGHT, WIDTH, Clip
from tests.journeys.ffmpeg import Transport
from tests.journeys.program import Program, Stage

__all__ = ["pictures", "publish", "read", "succeed"]

PARSERS = {"h264": "h264parse", "hevc": "h265parse", "aac": "aacparse", "opus": "opusparse"}
VIDEO_READERS = {
    "h264": ("rtph264depay", "!", "h264parse", "!", "avdec_h264"),
    "hevc": ("rtph265depay", "!", "h265parse", "!", "avdec_h265"),
}


def publish(
    stage: Stage, clip: Clip, url: str, *, transport: Transport, options: Sequence[str] = ()
) -> Program:
    """`options` are rtspclientsink's."""
    video, audio = PARSERS[clip.video_codec], PARSERS[clip.audio_codec]
    return stage.start(
        *("gst-launch-1.0", "-q", "filesrc", f"location={clip.file}", "!", "matroskademux", "name=file"),
        *("rtspclientsink", "name=sink", f"location={url}", f"protocols={transport}", *options),
        *("file.video_0", "!", "queue", "!", video, "!", "sink."),
        *("file.audio_0", "!", "queue", "!", audio, "!", "sink."),
    )


def read(
    stage: Stage, clip: Clip, url: str, *, transport: str, count: int, options: Sequence[str] = ()
) -> tuple[Program, Path]:
    """Decode so many pictures into a file, then end. `options` are rtspsrc's."""
    file = stage.directory / f"{transport}.yuv"
    program = stage.start(
        *("gst-launch-1.0", "-q", "rtspsrc", f"location={url}", f"protocols={transport}", "latency=100"),
        *options,
        *("!", "application/x-rtp,media=video", "!", *VIDEO_READERS[clip.video_codec]),
        *("!", "videoconvert", "!", "video/x-raw,format=I420", "!", "identity", f"eos-after={count + 1}"),
        *("!", "filesink", f"location={file}"),
    )
    return program, file


def succeed(reader: Program) -> None:
    """Wait for its end. It may hang up before its PAUSE or TEARDOWN is through, and calls that an error."""
    farewell = "gst_rtspsrc_pause", "gst_rtspsrc_close"
    assert reader.wait() == 0 or any(word in reader.output for word in farewell), reader.output


def pictures(file: Path) -> list[str]:
    """The checksum of every picture in a file of them, the same that ffmpeg's framemd5 gives."""
    data, size = file.read_bytes(), WIDTH * HEIGHT * 3 // 2
    return [
        hashlib.md5(data[at : at + size], usedforsecurity=False).hexdigest()
        for at in range(0, len(data), size)
    ]
