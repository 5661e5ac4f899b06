"""An operator changes the configuration of a server that people use."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.journeys import ffmpeg
from tests.journeys.clip import Clip
from tests.journeys.gate import PROGRAM, Gate, settings
from tests.journeys.program import Stage

PATHS = "/v3/config/paths"


def headgate(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
        env={**os.environ, "HEADGATE_STATE_DIR": str(directory / "state")},
    )


def test_people_go_on_while_it_changes_under_them(tmp_path: Path, stage: Stage, clip: Clip) -> None:
    with Gate.open(tmp_path, settings()) as gate:
        ffmpeg.publish(stage, clip.file, gate.rtsp("cam"))
        publisher = gate.events.publishes("cam")
        watching = [ffmpeg.watch(stage, gate.rtsp("cam"), transport=one) for one in ffmpeg.Transport]
        for transport in ("TCP", "UDP"):
            gate.events.wait("session.changed", role="read", target="cam", transport=transport)
        old = gate.rtsp("cam")
        for method, call, body in (
            ("PATCH", "/v3/config/pathdefaults/patch", {"overridePublisher": False, "maxReaders": 9}),
            ("PATCH", "/v3/config/global/patch", {"rtspAddress": "127.0.0.1:00", "readTimeout": "3s"}),
            (
                "PATCH",
                "/v3/config/global/patch",
                {"rtpAddress": "127.0.0.1:00", "rtcpAddress": "127.0.0.1:00"},
            ),
            ("POST", f"{PATHS}/add/cam", {"maxReaders": 5}),
            ("DELETE", f"{PATHS}/delete/cam", None),
        ):
            answer = gate.http.request(method, call, json=body)
            assert (answer.status_code, answer.json()) == (200, {"status": "ok"}), answer.text
        assert gate.rtsp("cam") != old
        reading = ffmpeg.read(stage, gate.rtsp("cam"), transport=ffmpeg.Transport.TCP, pictures=25, sounds=10)
        reading.program.succeed()
        assert list(gate.events.matching("session.closed", role="publish")) == []
        assert all(program.running for program in watching)
        answer = gate.http.delete(f"{PATHS}/delete/all_others")
        assert answer.status_code == 200
        for program in watching:
            program.wait()
        assert gate.events.closes(publisher)["reason"] == "its path is not configured any more"


def test_changes_survive_a_restart_and_can_be_dropped(tmp_path: Path) -> None:
    file = tmp_path / "headgate.yml"
    with Gate.open(tmp_path, settings()) as gate:
        assert gate.http.patch("/v3/config/global/patch", json={"readTimeout": "7s"}).is_success
        assert gate.http.post(f"{PATHS}/add/door", json={"maxReaders": 2}).is_success
        gate.process.kill()  # not even a goodbye
        gate.process.wait()
        gate.process.returncode = 0
    with Gate.open(tmp_path, settings()) as gate:
        assert gate.get("/v3/config/global/get")["readTimeout"] == "7s"
        assert gate.get(f"{PATHS}/get/door")["maxReaders"] == 2
        shown = headgate(tmp_path, "config", "diff", str(file))
        assert shown.stdout.splitlines() == [
            'readTimeout: "2s" -> "7s"',
            "paths.door: added",
            "paths.door.maxReaders: 0 -> 2",
        ]
        # The server that runs is asked.
        done = headgate(tmp_path, "config", "reset", str(file), "--api", gate.operator)
        assert (done.returncode, done.stdout) == (0, "the configuration is what the file says\n")
        assert gate.get("/v3/config/global/get")["readTimeout"] == "2s"
        assert gate.status(f"{PATHS}/get/door") == 404
        assert gate.http.post(f"{PATHS}/add/door", json={}).is_success
    assert headgate(tmp_path, "config", "reset", str(file)).returncode == 0
    assert headgate(tmp_path, "config", "diff", str(file)).stdout == ""


def test_a_state_that_was_damaged_does_not_keep_it_from_starting(tmp_path: Path) -> None:
    with Gate.open(tmp_path, settings()) as gate:
        assert gate.http.post(f"{PATHS}/add/door", json={}).is_success
    (state,) = (tmp_path / "state").glob("changes-*.json")
    state.write_text(state.read_text()[:-20])
    with Gate.open(tmp_path, settings()) as gate:
        assert gate.status(f"{PATHS}/get/door") == 404
        assert "NOT IN EFFECT" in gate.log
    assert len(list((tmp_path / "state").glob("*.bad"))) == 1


@pytest.mark.parametrize("told", ["by the file's change", "by SIGHUP"])
def test_the_file_is_read_again(tmp_path: Path, told: str) -> None:
    file = tmp_path / "headgate.yml"

    def write(text: str) -> None:
        file.write_text(text)
        if told == "by SIGHUP":
            gate.process.send_signal(signal.SIGHUP)

    with Gate.open(tmp_path, settings()) as gate:
        assert gate.http.post(f"{PATHS}/add/door", json={}).is_success
        good = file.read_text()
        write(good + "hlsVariant: nonsense\nwriteTimout: 3s\n")
        refused = gate.events.wait("configuration.refused")
        assert [mistake.split(": ")[1] for mistake in refused["mistakes"]] == ["hlsVariant", "writeTimout"]
        assert gate.running
        changed = YAML().load(good)
        changed["paths"] = {"yard": {"maxReaders": 3}}
        YAML().dump(changed, file)
        write(file.read_text())
        gate.events.wait("configuration.changed", cause="file")
        names = [path["name"] for path in gate.get(f"{PATHS}/list")["items"]]
        assert names == ["door", "yard"]
