"""Moving pictures with sound, made once, whose every frame is known."""

from __future__ import annotations

import enum
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Clip", "Codecs", "checksums", "is_excerpt", "make_clip", "make_loud_clip"]

WIDTH, HEIGHT, FRAME_RATE, GROUP = 320, 180, 25, 10
SECONDS = 30  # longer than any journey that compares checksums


class Codecs(enum.Enum):
    H264_AAC = "h264+aac"
    H265_OPUS = "h265+opus"


ENCODERS = {
    Codecs.H264_AAC: (
        *("-c:v", "libx264", "-preset", "ultrafast", "-profile:v", "baseline", "-g", f"{GROUP}"),
        *("-c:a", "aac", "-b:a", "64k"),
    ),
    Codecs.H265_OPUS: (
        *("-c:v", "libx265", "-preset", "ultrafast"),
        *("-x265-params", f"keyint={GROUP}:min-keyint={GROUP}:scenecut=0:bframes=0:log-level=error"),
        *("-c:a", "libopus", "-b:a", "64k"),
    ),
}
SOURCE = f"testsrc2=size={WIDTH}x{HEIGHT}:rate={FRAME_RATE}"
# A rising tone: no two packets of it are alike, so an excerpt has one place only.
TONE = "aevalsrc=0.2*sin(2*PI*t*(200+60*t)):s=48000"


@dataclass(frozen=True, slots=True)
class Clip:
    file: Path
    video_codec: str
    audio_codec: str
    pictures: Sequence[str]
    """The checksum of every decoded picture."""
    sounds: Sequence[str]
    """The checksum of every audio packet: what a decoder makes of one depends on those before it."""


def make_clip(codecs: Codecs, directory: Path) -> Clip:
    """Unless it is there."""
    video_codec, audio_codec = {"h264+aac": ("h264", "aac"), "h265+opus": ("hevc", "opus")}[codecs.value]
    file = directory / f"{video_codec}-{audio_codec}.mkv"
    pictures, sounds = file.with_suffix(".pictures"), file.with_suffix(".sounds")
    if not sounds.exists():  # the last that is made
        _make(codecs, file, pictures=pictures, sounds=sounds)
    return Clip(file, video_codec, audio_codec, checksums(pictures), checksums(sounds))


def _make(codecs: Codecs, file: Path, *, pictures: Path, sounds: Path) -> None:
    _ffmpeg(
        *("-f", "lavfi", "-t", f"{SECONDS}", "-i", SOURCE, "-f", "lavfi", "-t", f"{SECONDS}", "-i", TONE),
        *("-pix_fmt", "yuv420p", *ENCODERS[codecs], f"{file}"),
    )
    _ffmpeg(
        *("-i", f"{file}", "-map", "0:v", "-f", "framemd5", f"{pictures}"),
        *("-map", "0:a", "-c", "copy", "-f", "framemd5", f"{sounds}"),
    )


def make_loud_clip(directory: Path) -> Path:
    """Noise of about 25 Mb/s, which fills the buffers of a reader that takes nothing within seconds."""
    file = directory / "loud.mkv"
    _ffmpeg(
        *("-f", "lavfi", "-t", "2", "-i", "testsrc2=size=1280x720:rate=25,noise=alls=60:allf=t"),
        *("-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency"),
        *("-g", "10", "-b:v", "25M", "-maxrate", "25M", "-bufsize", "5M", f"{file}"),
    )
    return file


def checksums(file: Path) -> list[str]:
    """From what ffmpeg's framemd5 wrote: stream, dts, pts, duration, size, checksum, then any side data's."""
    lines = file.read_text().splitlines()
    return [line.split(",")[5].strip() for line in lines if not line.startswith("#")]


def is_excerpt(part: Sequence[str], whole: Sequence[str]) -> bool:
    """Whether `part` stands in `whole`, complete and in order."""
    return any(
        list(whole[start : start + len(part)]) == list(part)
        for start, checksum in enumerate(whole)
        if checksum == part[0]
    )


def _ffmpeg(*arguments: str) -> None:
    subprocess.run(
        ["ffmpeg", "-v", "error", "-nostdin", "-y", *arguments],
        check=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )
