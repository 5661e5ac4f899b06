"""A publisher that dies or falls silent: its path ends within readTimeout, and everyone can see it."""

from __future__ import annotations

import signal
import time

import pytest

from tests.journeys import ffmpeg
from tests.journeys.clip import Clip
from tests.journeys.ffmpeg import Transport
from tests.journeys.gate import READ_TIMEOUT, Gate
from tests.journeys.program import Stage

GRACE = 1.5  # seconds: the engine's clock ticks, the event's way to us, a busy machine


@pytest.mark.parametrize("transport", Transport)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "silent"])
def test_its_path_ends_and_every_api_shows_it(
    gate: Gate, stage: Stage, clip: Clip, transport: Transport, how: signal.Signals
) -> None:
    application = f"{how.name}-{transport}".lower()
    path = f"{application}/cam"
    publishing = ffmpeg.publish(stage, clip.file, gate.rtsp(path), transport=transport)
    publisher = gate.events.publishes(path)
    watching = ffmpeg.watch(stage, gate.rtsp(path))
    reader = gate.events.reads(path)

    # Before: every API shows both.
    shown = gate.get(f"/v3/paths/get/{path}")
    assert shown["ready"] is True
    assert shown["source"] == {"type": "rtspSession", "id": publisher["id"]}
    assert [r["id"] for r in shown["readers"]] == [reader["id"]]
    for session, state in ((publisher, "publish"), (reader, "read")):
        assert gate.get(f"/v3/rtspsessions/get/{session['id']}")["state"] == state
        assert gate.status(f"/v1/sessions/{session['number']}") == 200
    clients = gate.get(f"/api/v1/applications/{application}/clients")["data"]
    assert {c["id"] for c in clients} == {publisher["code"], reader["code"]}
    assert f'paths{{name="{path}",state="ready"}} 1' in gate.http.get("/metrics").text

    publishing.send(how)
    began = time.monotonic()

    # After: one event for each end, and nothing finds them any more.
    gate.events.wait("path.notReady", path=path)
    assert time.monotonic() - began < READ_TIMEOUT + GRACE
    ended = gate.events.closes(publisher)
    assert ended["totals"]["bytes_received"] > 0
    assert gate.events.closes(reader)["reason"] == "the publisher left"
    watching.wait()
    for session in (publisher, reader):
        assert gate.status(f"/v3/rtspsessions/get/{session['id']}") == 404
        assert gate.status(f"/v1/sessions/{session['number']}") == 404
        assert gate.status(f"/api/v1/applications/{application}/clients/{session['code']}") == 404
        assert len(list(gate.events.matching("session.closed", session=session))) == 1
    paths = gate.get("/v3/paths/list?itemsPerPage=1000")["items"]
    assert path not in [shown["name"] for shown in paths if shown["ready"]]
    assert f'name="{path}",state="ready"' not in gate.http.get("/metrics").text
