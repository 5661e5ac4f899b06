"""SIGTERM with somebody watching: nobody new comes in, and who is here may stay a while. SIGHUP: the log."""

from __future__ import annotations

import json
import signal
import socket
import time
from pathlib import Path

from tests.journeys import ffmpeg
from tests.journeys.clip import Clip
from tests.journeys.events import PATIENCE
from tests.journeys.gate import Gate, settings
from tests.journeys.program import Stage

AT_ONCE = 1.5  # seconds, and that on a busy machine


def test_sessions_go_on_until_they_end(tmp_path: Path, stage: Stage, clip: Clip) -> None:
    with Gate.open(tmp_path, settings(drainTimeout="60s")) as gate:
        url = gate.rtsp("drain/cam")
        publisher = ffmpeg.publish(stage, clip.file, url)
        gate.events.publishes("drain/cam")
        watching = ffmpeg.watch(stage, url)
        gate.events.reads("drain/cam")
        gate.process.terminate()
        deadline = time.monotonic() + PATIENCE
        while gate.status("/health/ready") != 503:
            assert time.monotonic() < deadline
        assert gate.get("/health")["sessions"] == 2
        late = ffmpeg.watch(stage, url)
        assert late.wait() != 0
        assert "refused" in late.output.lower()
        assert publisher.running
        assert watching.running
        assert gate.running
        publisher.end()
        assert gate.process.wait(PATIENCE) == 0
        watching.wait()
        assert "2 sessions may go on for 60 s" in gate.log


def test_the_deadline_says_goodbye(tmp_path: Path, stage: Stage, clip: Clip) -> None:
    with Gate.open(tmp_path, settings(drainTimeout="300ms")) as gate:
        publishing = ffmpeg.publish(stage, clip.file, gate.rtsp("drain/cam"))
        publisher = gate.events.publishes("drain/cam")
        gate.process.terminate()
        assert gate.events.closes(publisher)["reason"] == "the server is stopping"
        assert gate.process.wait(PATIENCE) == 0
        publishing.wait()


def test_a_second_signal_ends_it_at_once(tmp_path: Path, stage: Stage, clip: Clip) -> None:
    file = tmp_path / "configuration"
    file.mkdir()
    with Gate.open(file, settings(drainTimeout="60s")) as gate:
        ffmpeg.publish(stage, clip.file, gate.rtsp("drain/cam"))
        gate.events.publishes("drain/cam")
        gate.process.terminate()
        deadline = time.monotonic() + PATIENCE
        while gate.status("/health/ready") != 503:
            assert time.monotonic() < deadline
        gate.process.send_signal(signal.SIGINT)
        assert gate.process.wait(AT_ONCE) == 128 + signal.SIGINT
        gate.process.returncode = 0  # as it should be: this journey has ended it so


def test_the_log_file_is_opened_anew(tmp_path: Path) -> None:
    log, moved = tmp_path / "gate.log", tmp_path / "gate.log.1"
    changes = {"logDestinations": ["file"], "logFile": str(log), "logFormat": "json"}
    with Gate.open(tmp_path, settings(**changes)) as gate:
        for number, file in enumerate((moved, log)):
            url = gate.rtsp(f"nobody/{number}")
            host = url.split("/")[2]
            with socket.create_connection(("127.0.0.1", int(host.rpartition(":")[2])), PATIENCE) as client:
                client.sendall(f"DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
                assert client.recv(100).startswith(b"RTSP/1.0 404 ")
            deadline = time.monotonic() + PATIENCE
            while f"nobody/{number}" not in (log.read_text() if log.exists() else ""):
                assert time.monotonic() < deadline
            if file is moved:
                log.rename(moved)
                gate.process.send_signal(signal.SIGHUP)
                while not log.exists():
                    assert time.monotonic() < deadline
        for number, file in enumerate((moved, log)):
            lines = [json.loads(line) for line in file.read_text().splitlines()]
            assert any(f"nobody/{number}" in line["message"] for line in lines)
            assert not any(f"nobody/{1 - number}" in line["message"] for line in lines)
        assert gate.running
