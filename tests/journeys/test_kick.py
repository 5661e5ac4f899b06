"""An operator shuts a session through any dialect; it ends in all of them, and the client knows."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.journeys import ffmpeg
from tests.journeys.clip import Clip
from tests.journeys.gate import PROGRAM, Gate
from tests.journeys.program import Program, Stage

Kick = Callable[[Gate, str, dict[str, Any]], httpx.Response]


def kick_through_v3(gate: Gate, _application: str, session: dict[str, Any]) -> httpx.Response:
    return gate.http.post(f"/v3/rtspsessions/kick/{session['id']}")


def kick_through_v1(gate: Gate, _application: str, session: dict[str, Any]) -> httpx.Response:
    return gate.http.delete(f"/v1/sessions/{session['number']}")


def kick_through_applications(gate: Gate, application: str, session: dict[str, Any]) -> httpx.Response:
    return gate.http.delete(f"/api/v1/applications/{application}/clients/{session['code']}")


DIALECTS = [kick_through_v3, kick_through_v1, kick_through_applications]


@pytest.mark.parametrize("kick", DIALECTS)
@pytest.mark.parametrize("role", ["publish", "read"])
def test_a_kick_ends_the_session_everywhere(
    gate: Gate, stage: Stage, clip: Clip, kick: Kick, role: str
) -> None:
    application = f"{kick.__name__}-{role}"
    path = f"{application}/cam"
    publishing = ffmpeg.publish(stage, clip.file, gate.rtsp(path))
    publisher = gate.events.publishes(path)
    watching = ffmpeg.watch(stage, gate.rtsp(path))
    reader = gate.events.reads(path)
    session, program = (publisher, publishing) if role == "publish" else (reader, watching)

    answer = kick(gate, application, session)

    assert answer.is_success, answer.text
    assert _found_nowhere(gate, application, session)
    program.wait()
    assert gate.events.closes(session)["reason"] == "kicked by an operator"
    assert len(list(gate.events.matching("session.closed", session=session))) == 1
    if role == "read":
        _goes_on(gate, publisher, publishing)
    # Done twice, it finds nothing.
    assert kick(gate, application, session).status_code == 404


def test_all_clients_of_an_application_at_once(gate: Gate, stage: Stage, clip: Clip) -> None:
    paths = ["crowd/one", "crowd/two"]
    programs = [ffmpeg.publish(stage, clip.file, gate.rtsp(path)) for path in [*paths, "bystander/cam"]]
    sessions = [gate.events.publishes(path) for path in paths]
    bystander = gate.events.publishes("bystander/cam")

    answer = gate.http.delete("/api/v1/applications/crowd/clients")

    assert answer.json()["data"] == {}
    assert all(_found_nowhere(gate, "crowd", session) for session in sessions)
    for program in programs[:2]:
        program.wait()
    _goes_on(gate, bystander, programs[2])


def test_from_the_command_line(gate: Gate, stage: Stage, clip: Clip) -> None:
    publishing = ffmpeg.publish(stage, clip.file, gate.rtsp("cli/cam"))
    session = gate.events.publishes("cli/cam")
    headgate = [f"{PROGRAM}", "sessions", "--api", gate.operator]
    listed = subprocess.run(headgate, capture_output=True, text=True, check=True, timeout=10)
    rows = [row.split() for row in listed.stdout.splitlines()]
    assert any(str(session["number"]) in row and "cli/cam" in row for row in rows), listed.stdout

    headgate = [f"{PROGRAM}", "kick", str(session["number"]), "--api", gate.operator]
    subprocess.run(headgate, capture_output=True, text=True, check=True, timeout=10)

    assert _found_nowhere(gate, "cli", session)
    publishing.wait()
    again = subprocess.run(headgate, capture_output=True, text=True, check=False, timeout=10)
    assert again.returncode == 1
    assert "Traceback" not in again.stderr


def _found_nowhere(gate: Gate, application: str, session: dict[str, Any]) -> bool:
    """Whether no dialect, and no list of one, knows the session any more."""
    gone = {
        gate.status(f"/v3/rtspsessions/get/{session['id']}"),
        gate.status(f"/v1/sessions/{session['number']}"),
        gate.status(f"/api/v1/applications/{application}/clients/{session['code']}"),
    }
    listed = [
        *(item["id"] for item in gate.get("/v3/rtspsessions/list?itemsPerPage=1000")["items"]),
        *(item["id"] for item in gate.get("/v1/sessions")["data"]),
    ]
    return gone == {404} and session["id"] not in listed and str(session["number"]) not in listed


def _goes_on(gate: Gate, session: dict[str, Any], program: Program) -> None:
    assert gate.get(f"/v3/rtspsessions/get/{session['id']}")["state"] == "publish"
    assert program.running
