from __future__ import annotations

import resource

import pytest

from headgate.media.rtsp.descriptors import connection_limit, multicast_limit
from tests.media.conftest import configuration

ALL = ("udp", "multicast", "tcp")


@pytest.mark.parametrize(
    ("descriptors", "settings", "connections", "multicast"),
    [
        (1024, {"rtsp_transports": ALL}, 512, 128),
        (4096, {"rtsp_transports": ("tcp",)}, 3456, 512),
        (4096, {"rtsp_transports": ALL}, 2944, 512),
        (4096, {"rtsp_transports": ALL, "rtsp_encryption": "optional"}, 1472, 512),
        (1 << 20, {"rtsp_transports": ALL}, 20_000, 4096),
        (resource.RLIM_INFINITY, {"rtsp_transports": ALL}, 20_000, 4096),
    ],
)
def test_everybody_has_a_share(
    monkeypatch: pytest.MonkeyPatch,
    descriptors: int,
    settings: dict[str, object],
    connections: int,
    multicast: int,
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (descriptors, descriptors))
    assert connection_limit(configuration(**settings).global_) == connections
    assert multicast_limit() == multicast
