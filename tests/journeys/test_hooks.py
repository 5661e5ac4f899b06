"""Hooks around ffmpeg's publishing and reading, in the program as it is run."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.journeys import ffmpeg
from tests.journeys.clip import Clip
from tests.journeys.events import PATIENCE
from tests.journeys.gate import Gate, settings
from tests.journeys.program import Stage

# Says in a file that it began, and that it was asked to end.
NOTE = """
import os, signal, sys, time
def note(word):
    with open(sys.argv[1], "a") as file:
        file.write(f"{sys.argv[2]} {word} {os.environ['MTX_PATH']}\\n")
def end(*_):
    note("ended")
    sys.exit(0)
signal.signal(signal.SIGINT, end)
note("began")
if sys.argv[2].startswith("while"):
    print("looking at", os.environ["MTX_PATH"], flush=True)
    time.sleep(60)
"""


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_commands_run_while_there_is_a_stream_and_while_somebody_reads_it(
    tmp_path: Path, stage: Stage, clip: Clip
) -> None:
    script, notes = tmp_path / "note.py", tmp_path / "notes"
    script.write_text(NOTE)
    notes.touch()

    def command(name: str) -> str:
        return f"{sys.executable} {script} {notes} {name}"

    hooks = {
        "runOnReady": command("while-ready"),
        "runOnNotReady": command("not-ready"),
        "runOnRead": command("while-read"),
        "runOnUnread": command("unread"),
    }

    def lines() -> list[str]:
        return notes.read_text().splitlines()

    with Gate.open(tmp_path, settings(paths={"all_others": hooks})) as gate:
        publisher = ffmpeg.publish(stage, clip.file, gate.rtsp("hooked/cam"))
        gate.events.publishes("hooked/cam")
        until(lambda: lines() == ["while-ready began hooked/cam"])
        reader = ffmpeg.watch(stage, gate.rtsp("hooked/cam"))
        until(lambda: "while-read began hooked/cam" in lines())
        assert "headgate_hooks_running 2\n" in gate.http.get("/metrics").text
        reader.end()
        until(lambda: {"while-read ended hooked/cam", "unread began hooked/cam"} <= set(lines()))
        publisher.end()
        until(lambda: {"while-ready ended hooked/cam", "not-ready began hooked/cam"} <= set(lines()))
        until(lambda: "headgate_hooks_running 0\n" in gate.http.get("/metrics").text)
        assert "hook runOnReady of path 'hooked/cam': looking at hooked/cam" in gate.log
        assert "hook runOnUnread" in gate.log
        assert "ended with exit status 0" in gate.log
    assert len(lines()) == 6


def test_a_path_is_published_while_somebody_wants_it(tmp_path: Path, stage: Stage, clip: Clip) -> None:
    publish = (
        f"ffmpeg -v error -nostdin -re -stream_loop -1 -i {clip.file} -c copy"
        " -f rtsp -rtsp_transport tcp rtsp://127.0.0.1:$RTSP_PORT/$MTX_PATH"
    )
    wanted = {"runOnDemand": publish, "runOnDemandCloseAfter": "500ms"}
    with Gate.open(tmp_path, settings(paths={"~^wanted/": wanted})) as gate:
        for _ in range(2):
            reader = ffmpeg.watch(stage, gate.rtsp("wanted/cam"))
            reading = 'headgate_sessions{service="RTSP",role="read"} 1\n'
            until(lambda reading=reading: reading in gate.http.get("/metrics").text)
            assert gate.get("/v3/paths/get/wanted/cam")["ready"]
            until(lambda: "headgate_hooks_running 1\n" in gate.http.get("/metrics").text)
            reader.end()
            until(lambda: "headgate_hooks_running 0\n" in gate.http.get("/metrics").text)
            until(lambda: gate.status("/v3/paths/get/wanted/cam") == 404)


def test_nothing_is_left_of_hooks_when_the_server_stops(tmp_path: Path, stage: Stage, clip: Clip) -> None:
    script, notes = tmp_path / "note.py", tmp_path / "notes"
    script.write_text(NOTE)
    notes.touch()
    init = {"runOnInit": f"{sys.executable} {script} {notes} while-init", "runOnInitRestart": True}
    with Gate.open(tmp_path, settings(paths={"cam": init})) as gate:
        until(lambda: "while-init began cam\n" in notes.read_text())
        gate.process.terminate()
        assert gate.process.wait(PATIENCE) == 0
    assert notes.read_text() == "while-init began cam\nwhile-init ended cam\n"
