"""Starting and stopping, and the two lines a newcomer copies."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.journeys import ffmpeg
from tests.journeys.clip import Clip
from tests.journeys.gate import PROGRAM, Gate, settings
from tests.journeys.program import Stage, require

TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM
STOP = 2.0  # seconds, and a little for a busy machine
PORTS = [("RTSP", "rtspAddress"), ("RTP", "rtpAddress"), ("RTCP", "rtcpAddress"), ("API", "apiAddress")]


@pytest.mark.parametrize(("what", "key"), PORTS)
def test_a_taken_port_is_a_clear_error(tmp_path: Path, what: str, key: str) -> None:
    file = tmp_path / "headgate.yml"
    kind = UDP if what in {"RTP", "RTCP"} else TCP
    with ExitStack() as stack:
        even, odd = _neighbours(stack, kind)
        addresses = {"rtpAddress": _address(even), "rtcpAddress": _address(odd)} if kind == UDP else {}
        taken, free = (odd, even) if what == "RTCP" else (even, odd)
        addresses[key] = _address(taken)
        free.close()
        if kind == TCP:
            taken.listen()
        YAML().dump(settings(**addresses), file)
        done = subprocess.run([PROGRAM, "run", file], capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 1
    complaint = [line for line in done.stderr.splitlines() if key in line]
    assert len(complaint) == 1, done.stderr
    assert addresses[key] in complaint[0]
    assert "in use" in complaint[0].lower()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_goodbye_to_everyone_when_told_to_stop(
    tmp_path: Path, stage: Stage, clip: Clip, number: signal.Signals
) -> None:
    with Gate.open(tmp_path, settings()) as gate:
        publishing = ffmpeg.publish(stage, clip.file, gate.rtsp("stop/cam"))
        publisher = gate.events.publishes("stop/cam")
        gate.process.send_signal(number)
        assert gate.events.closes(publisher)["reason"] == "the server is stopping"
        assert gate.process.wait(STOP + 1) == 0
        publishing.wait()
        assert "Traceback" not in gate.log


def test_the_printed_lines_show_a_moving_picture(tmp_path: Path, stage: Stage) -> None:
    """Run as printed, but for the player's window."""
    require("ffmpeg")
    with Gate.open(tmp_path, settings()) as gate:
        publish = re.search(r"ffmpeg .*rtsp://\S+", gate.says("ffmpeg"))
        play = re.search(r"ffplay .*rtsp://\S+", gate.says("ffplay"))
        assert publish
        assert play
        url = play[0].split()[-1]
        stage.start("sh", "-c", f"exec {publish[0]} </dev/null")
        gate.events.wait("path.ready")
        reading = stage.start(
            *("ffmpeg", "-v", "error", "-xerror", "-nostdin", "-i", url, "-frames:v", "30"),
            *("-vsync", "passthrough", "-f", "framemd5", tmp_path / "moving"),
        )
        reading.succeed()
        pictures = (tmp_path / "moving").read_text().splitlines()[-30:]
        assert len({line.rpartition(",")[2] for line in pictures}) == 30, "the picture stands still"


def test_help_answers() -> None:
    done = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True, timeout=10)
    for command in ("run", "check", "sessions", "kick", "version"):
        assert re.search(rf"^\s+{command}\b", done.stdout, re.MULTILINE)


def _neighbours(stack: ExitStack, kind: socket.SocketKind) -> tuple[socket.socket, socket.socket]:
    """Sockets bound to an even port and the next: RTP and RTCP stand so (RFC 3550 11)."""
    for _ in range(100):
        one, other = (stack.enter_context(socket.socket(socket.AF_INET, kind)) for _ in range(2))
        one.bind(("127.0.0.1", 0))
        with suppress(OSError):
            other.bind(("127.0.0.1", one.getsockname()[1] ^ 1))
            return (one, other) if one.getsockname()[1] % 2 == 0 else (other, one)
    pytest.fail("no two neighbouring ports are free")


def _address(bound: socket.socket) -> str:
    return "127.0.0.1:{1}".format(*bound.getsockname())
