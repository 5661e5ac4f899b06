"""One publisher after another: readers stay, and see one stream."""

from __future__ import annotations

import itertools
import re
import signal
from pathlib import Path

import pytest

from tests.journeys import ffmpeg
from tests.journeys.client import Client
from tests.journeys.clip import Clip
from tests.journeys.events import Events
from tests.journeys.ffmpeg import Transport
from tests.journeys.gate import Gate, settings
from tests.journeys.program import Stage, require

READERS = 5
START = 10
"""Pictures. A reader over UDP that has some before the first report sets its clock anew with that."""


def readers_of(gate: Gate, path: str) -> list[str]:
    return [reader["id"] for reader in gate.get(f"/v3/paths/get/{path}")["readers"]]


def other_publisher(events: Events, path: str, before: object) -> None:
    events.wait_until(
        lambda event: (
            event["type"] == "session.changed"
            and event["role"] == "publish"
            and event["target"] == path
            and event["session"] != before
        )
    )


class Watching:
    """Copies the pictures that come, with their times, until it is interrupted."""

    def __init__(self, stage: Stage, url: str, transport: Transport, *, name: str = "reader") -> None:
        self._file = stage.directory / f"{name}.frames"
        self.program = stage.start(
            *("ffmpeg", "-v", "warning", "-nostdin", "-rtsp_transport", transport, "-i", url),
            *("-map", "0:v", "-c", "copy", "-f", "framecrc", "-flush_packets", "1", self._file),
        )

    @property
    def times(self) -> list[int]:
        """Of the pictures so far, in ticks of the reader's own."""
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        rows = [line.split(",") for line in lines if line[:1].isdigit()]
        return [int(row[1]) for row in rows if len(row) > 5]

    def get(self, count: int) -> None:
        """Wait for so many pictures more."""
        self.reach(len(self.times) + count)

    def reach(self, count: int) -> None:
        self.program.until(lambda: len(self.times) >= count)


@pytest.mark.parametrize("transport", list(Transport))
def test_readers_stay_when_another_publisher_takes_the_path(
    gate: Gate, stage: Stage, clip: Clip, transport: Transport
) -> None:
    path = f"handover/{transport}"
    ffmpeg.publish(stage, clip.file, gate.rtsp(path), transport=transport)
    before = gate.events.publishes(path)
    watching = [Watching(stage, gate.rtsp(path), transport, name=f"{i}") for i in range(READERS)]
    for reader in watching:
        reader.reach(START)
    attached = readers_of(gate, path)
    assert len(attached) == READERS

    ffmpeg.publish(stage, clip.file, gate.rtsp(path), transport=transport)
    other_publisher(gate.events, path, before)
    wanted = [len(reader.times) + 50 for reader in watching]
    for reader, count in zip(watching, wanted, strict=True):
        reader.reach(count)

    assert gate.events.closes(before)["reason"] == "another publisher took the path"
    assert readers_of(gate, path) == attached, "0 of them were dropped"
    assert not list(gate.events.matching("path.notReady", path=path))
    for reader in watching:
        gaps = [after - before for before, after in itertools.pairwise(reader.times[START - 1 :])]
        usual = sorted(gaps)[len(gaps) // 2]
        assert min(gaps) > 0, "time does not run backwards"
        assert max(gaps) < 100 * usual, "nor jumps: it is as much later as it was"
        reader.program.send(signal.SIGINT)
        reader.program.wait()
        assert not re.search(r"(?i)non-monoto|invalid|error", reader.program.output), reader.program.output


def test_a_publisher_that_comes_back_in_time(tmp_path: Path, stage: Stage, clip: Clip) -> None:
    with Gate.open(tmp_path, settings(paths={"cam": {"publisherGracePeriod": "10s"}})) as gate:
        first = ffmpeg.publish(stage, clip.file, gate.rtsp("cam"))
        before = gate.events.publishes("cam")
        reader = Watching(stage, gate.rtsp("cam"), Transport.TCP)
        reader.get(10)
        attached = readers_of(gate, "cam")
        first.end()
        gate.events.closes(before)
        waiting = gate.get("/v3/paths/get/cam")
        assert (waiting["ready"], waiting["source"]) == (True, None)
        ffmpeg.publish(stage, clip.file, gate.rtsp("cam"))
        other_publisher(gate.events, "cam", before)
        reader.get(50)
        assert readers_of(gate, "cam") == attached


def test_one_that_does_not(tmp_path: Path, stage: Stage, clip: Clip) -> None:
    with Gate.open(tmp_path, settings(paths={"cam": {"publisherGracePeriod": "300ms"}})) as gate:
        first = ffmpeg.publish(stage, clip.file, gate.rtsp("cam"))
        gate.events.publishes("cam")
        with Client(gate.port("RTSP")) as reader:
            reader.play("cam")
            first.end()
            gate.events.wait("path.notReady", path="cam")
            assert reader.closed_by_server()


def test_a_gstreamer_reader_goes_on(gate: Gate, stage: Stage, clip: Clip) -> None:
    require("gst-launch-1.0")
    ffmpeg.publish(stage, clip.file, gate.rtsp("handover/gst"))
    before = gate.events.publishes("handover/gst")
    file = stage.directory / "gst.frames"
    reader = stage.start(
        *("gst-launch-1.0", "-q", "rtspsrc", f"location={gate.rtsp('handover/gst')}", "protocols=udp"),
        *("latency=100", "!", "application/x-rtp,media=video", "!", "rtph264depay", "!", "h264parse"),
        *("!", "avdec_h264", "!", "videoconvert", "!", "filesink", f"location={file}", "buffer-mode=2"),
    )

    def size() -> int:
        return file.stat().st_size if file.exists() else 0

    reader.until(lambda: size() > 10 * 320 * 180)
    ffmpeg.publish(stage, clip.file, gate.rtsp("handover/gst"))
    other_publisher(gate.events, "handover/gst", before)
    gate.events.closes(before)
    at_handover = size()
    reader.until(lambda: size() > at_handover + 50 * 320 * 180 * 3 // 2)
    assert reader.running
