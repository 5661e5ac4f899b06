"""Users with other people's clients, and whether their secrets are seen anywhere."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.journeys import ffmpeg
from tests.journeys.clip import Clip
from tests.journeys.ffmpeg import Transport
from tests.journeys.gate import Gate, settings
from tests.journeys.program import Stage

CANARY = "canary-91c2"
USERS = [
    {"user": "any", "ips": ["127.0.0.1"], "permissions": [{"action": "api"}, {"action": "metrics"}]},
    {"user": "eve", "pass": CANARY, "permissions": [{"action": "publish", "path": "cam"}]},
    {"user": "bob", "pass": CANARY, "permissions": [{"action": "read", "path": "~^c"}]},
]
SEEN = [
    "/v3/config/global/get",
    "/v3/config/paths/list",
    "/v3/paths/list",
    "/v3/rtspconns/list",
    "/v3/rtspsessions/list",
    "/v1/sessions",
    "/v1/services",
    "/api/v1/applications/cam/clients",
    "/metrics",
]


def as_user(gate: Gate, user: str, *, password: str = CANARY, query: str = "") -> str:
    return gate.rtsp("cam" + query).replace("rtsp://", f"rtsp://{user}:{password}@")


@pytest.mark.parametrize("method", ["basic", "digest"])
def test_users_publish_and_read_and_nobody_sees_their_secrets(
    tmp_path: Path, stage: Stage, clip: Clip, method: str
) -> None:
    changes = {"authInternalUsers": USERS, "rtspAuthMethods": [method], "logLevel": "debug"}
    with Gate.open(tmp_path, settings(**changes)) as gate:
        ffmpeg.publish(stage, clip.file, as_user(gate, "eve", query=f"?token={CANARY}"))
        gate.events.publishes("cam")
        readings = [
            ffmpeg.read(stage, as_user(gate, "bob"), transport=transport, pictures=10, sounds=10)
            for transport in Transport
        ]
        for reading in readings:
            reading.program.succeed()
        refused = [gate.rtsp("cam"), as_user(gate, "bob", password="wrong"), as_user(gate, "eve")]
        with ThreadPoolExecutor(len(refused)) as pool:  # who guesses is made to wait
            for probing in [pool.submit(ffmpeg.probe, url) for url in refused]:
                with pytest.raises(AssertionError, match="401"):
                    probing.result()

        sessions = gate.get("/v1/sessions")["data"]
        assert "eve" in {one["attributes"].get("user") for one in sessions}
        for path in SEEN:
            assert CANARY not in gate.http.get(path).text, path
        with httpx.stream("GET", f"{gate.operator}/events?lastEventId=0", timeout=5.0) as events:
            assert CANARY not in next(events.iter_text())
        assert CANARY not in gate.log
