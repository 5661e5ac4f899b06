"""ffmpeg as a publisher and a reader."""

from __future__ import annotations

import enum
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.journeys.clip import checksums
from tests.journeys.program import PATIENCE, Program, Stage

__all__ = ["Reading", "Transport", "Tunnelled", "probe", "publish", "read", "watch"]


class Transport(enum.StrEnum):
    TCP = "tcp"
    UDP = "udp"


class Tunnelled(enum.StrEnum):
    """For reading only: ffmpeg does not publish so."""

    HTTP = "http"
    HTTPS = "https"


@dataclass(frozen=True, slots=True)
class Reading:
    """A reader that takes some pictures and sounds, notes their checksums, and ends."""

    program: Program
    pictures_file: Path
    sounds_file: Path

    @property
    def pictures(self) -> list[str]:
        return checksums(self.pictures_file)

    @property
    def sounds(self) -> list[str]:
        return checksums(self.sounds_file)


def publish(
    stage: Stage, file: Path, url: str, *, transport: Transport = Transport.TCP, forever: bool = True
) -> Program:
    """Publish a file at its own pace, as it is; again and again when `forever`."""
    loop = ("-stream_loop", "-1") if forever else ()
    return stage.start(
        *("ffmpeg", "-v", "error", "-nostdin", "-re", *loop, "-i", file, "-c", "copy"),
        *("-f", "rtsp", "-rtsp_transport", transport, url),
    )


def read(
    stage: Stage, url: str, *, transport: str, pictures: int, sounds: int, name: str | None = None
) -> Reading:
    """Read until so many pictures are decoded and so many audio packets copied. Any error ends it badly."""
    name = name or transport
    pictures_file, sounds_file = stage.directory / f"{name}.pictures", stage.directory / f"{name}.sounds"
    program = stage.start(
        *("ffmpeg", "-v", "error", "-xerror", "-nostdin", "-rtsp_transport", transport, "-i", url),
        *(
            "-map",
            "0:v",
            "-frames:v",
            f"{pictures}",
            "-vsync",
            "passthrough",
            "-f",
            "framemd5",
            pictures_file,
        ),
        *("-map", "0:a", "-frames:a", f"{sounds}", "-c:a", "copy", "-f", "framemd5", sounds_file),
    )
    return Reading(program, pictures_file, sounds_file)


def watch(stage: Stage, url: str, *, transport: str = Transport.TCP) -> Program:
    """Read until the server ends it."""
    return stage.start(
        *("ffmpeg", "-v", "error", "-nostdin", "-rtsp_transport", transport, "-i", url),
        *("-c", "copy", "-f", "null", "-"),
    )


def probe(url: str, *, transport: Transport = Transport.TCP) -> list[dict[str, Any]]:
    """What ffprobe says of a path's streams."""
    command = [
        *("ffprobe", "-v", "error", "-rtsp_transport", transport),
        *("-show_streams", "-of", "json", url),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    streams: list[dict[str, Any]] = json.loads(done.stdout)["streams"]
    return streams
