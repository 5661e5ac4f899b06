from __future__ import annotations

import pytest

from headgate.core.config import PathConf
from headgate.media.path_change import concerns_media

Fields = dict[str, object]

PULL = {"source": "rtsp://h/x"}


@pytest.mark.parametrize(
    ("old", "new", "concerned"),
    [
        ({}, {"max_readers": 1, "record": True, "run_on_ready": "x", "override_publisher": False}, False),
        ({}, {"rtsp_transport": "tcp", "source_fingerprint": "ab", "rpi_camera_fps": 1}, False),
        ({}, PULL, True),
        (PULL, {"source": "rtsp://h/y"}, True),
        (PULL, {**PULL, "rtsp_transport": "tcp"}, True),
        (PULL, {**PULL, "source_on_demand": True}, True),
        (PULL, {**PULL, "max_readers": 1}, False),
        (PULL, {**PULL, "source_on_demand_close_after": 1, "source_on_demand_start_timeout": 1}, False),
        ({**PULL, "name": "~^a"}, {**PULL, "name": "~^b"}, False),
        ({"source": "rtsp://h/$G1", "name": "~^a"}, {"source": "rtsp://h/$G1", "name": "~^b"}, True),
    ],
)
def test_what_media_cannot_survive(
    old: dict[str, object], new: dict[str, object], *, concerned: bool
) -> None:
    assert concerns_media(PathConf.model_validate(old), PathConf.model_validate(new)) is concerned
