"""An operator changes the configuration of a server that people use."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
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


def test_the_thousandth_path_is_added_as_quickly_as_the_first(tmp_path: Path) -> None:
    with (
        Gate.open(tmp_path, settings()) as gate,
        contextlib.closing(
            http.client.HTTPConnection(gate.operator.removeprefix("http://"), timeout=10)
        ) as operator,
    ):

        def took(method: str, call: str, body: str | None = None) -> float:
            """Seconds."""
            begun = time.perf_counter()
            operator.request(method, call, body)
            answer = operator.getresponse()
            assert (answer.status, bool(answer.read())) == (200, True)
            return time.perf_counter() - begun

        adding = [took("POST", f"{PATHS}/add/cam{number}", "{}") for number in range(1000)]
        listing = [took("GET", f"{PATHS}/list?itemsPerPage=1000") for _ in range(20)]
        assert gate.get(f"{PATHS}/list")["itemCount"] == 1001
        # The targets on an idle core are 2 ms and 5 ms; these bounds only catch what grows with the number
        # of paths, on a machine that is busy with other tests.
        assert min(adding[-50:]) < 3 * min(adding[:50]) + 0.001
        assert min(listing) < 0.025


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


def test_its_log_goes_elsewhere(tmp_path: Path) -> None:
    with Gate.open(tmp_path, settings(hooksFromAPI=True)) as gate:
        file = tmp_path / "elsewhere.log"
        change = {"logDestinations": ["file"], "logFile": str(file)}
        assert gate.http.patch("/v3/config/global/patch", json=change).is_success
        assert gate.http.patch("/v3/config/global/patch", json={"readTimeout": "9s"}).is_success
        assert gate.http.patch("/v3/config/global/patch", json={"logDestinations": ["stdout"]}).is_success
        gate.says("configuration changed (api): logDestinations")
        assert "configuration changed (api): readTimeout" in file.read_text()
        assert "configuration changed (api): readTimeout" not in gate.log
        nowhere = {"logDestinations": ["file"], "logFile": str(tmp_path / "nowhere" / "x.log")}
        answer = gate.http.patch("/v3/config/global/patch", json=nowhere)
        assert (answer.status_code, "(logFile)" in answer.json()["error"]) == (400, True)
        good = (tmp_path / "headgate.yml").read_text()
        (tmp_path / "headgate.yml").write_text(good + "logFormat: json\n")
        gate.process.send_signal(signal.SIGHUP)
        gate.says('"message":"configuration changed (file): logFormat"')


def test_the_operators_listener_moves_to_another_address_with_its_port(tmp_path: Path) -> None:
    with Gate.open(tmp_path, settings()) as gate:
        port = gate.operator.rpartition(":")[2]
        for host in ("0.0.0.0", "", "127.0.0.1"):
            change = {"apiAddress": f"{host}:{port}"}
            patiently(partial(gate.http.patch, "/v3/config/global/patch", json=change)).raise_for_status()
            now = patiently(partial(gate.http.get, "/v3/config/global/get"))
            assert now.json()["apiAddress"] == f"{host}:{port}"


def patiently(ask: Callable[[], httpx.Response]) -> httpx.Response:
    """Who asks in the moment in which a listener closes may be reset."""
    for _ in range(5):
        with contextlib.suppress(httpx.TransportError):
            return ask()
    return ask()
