"""A reader that takes nothing is its own problem."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from tests.journeys import ffmpeg
from tests.journeys.client import Client, Frame
from tests.journeys.gate import WRITE_TIMEOUT, Gate
from tests.journeys.program import Stage

STILL = 1.0  # seconds without a packet that a reader of 25 pictures a second would notice


class Reader(threading.Thread):
    """Takes every packet of a path's first track, and notes gaps and pauses."""

    def __init__(self, client: Client, path: str) -> None:
        super().__init__(name=path, daemon=True)
        self._client = client
        client.play(path)
        self.packets = 0
        self.gaps = 0
        self.longest_pause = 0.0
        self.stop = threading.Event()

    def run(self) -> None:
        expected: int | None = None
        last = time.monotonic()
        while not self.stop.is_set():
            frame = self._client.read()
            assert isinstance(frame, Frame)
            if frame.channel != 0:
                continue
            now = time.monotonic()
            self.longest_pause = max(self.longest_pause, now - last)
            self.gaps += expected is not None and frame.sequence != expected
            expected, last = (frame.sequence + 1) & 0xFFFF, now
            self.packets += 1


def test_another_reader_does_not_notice(gate: Gate, stage: Stage, loud_clip: Path) -> None:
    path = "slow/loud"
    ffmpeg.publish(stage, loud_clip, gate.rtsp(path))
    gate.events.publishes(path)
    port = gate.port("RTSP")
    with Client(port) as healthy, Client(port, receive_buffer=4096) as stalled:
        reader = Reader(healthy, path)
        reader.start()
        healthy_session = gate.events.wait("session.opened", remote=healthy.address)["session"]
        stalled.play(path)  # and never reads again
        stalled_session = gate.events.wait("session.opened", remote=stalled.address)["session"]

        ended = gate.events.closes(stalled_session)

        before = reader.packets
        assert ended["reason"] == "the client stopped taking data"
        assert ended["totals"]["packets_discarded"] > 0
        assert ended["duration_s"] >= WRITE_TIMEOUT
        assert stalled.closed_by_server()
        # The other one is still there, and had every packet in time.
        counters = gate.get(f"/v3/rtspsessions/get/{healthy_session['id']}")
        assert counters["state"] == "read"
        reader.stop.set()
        reader.join(STILL)
        assert not reader.is_alive()
        assert before > 1000
        assert reader.gaps == 0
        assert reader.longest_pause < STILL
