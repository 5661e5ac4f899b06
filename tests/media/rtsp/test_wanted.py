"""Which listeners and ports a configuration asks for."""

from __future__ import annotations

import pytest

from headgate.core.config.effect import EFFECTIVE_GLOBAL
from headgate.core.service import Protocol
from headgate.media.rtsp.wanted import KEYS, Wanted
from tests.media.conftest import configuration


@pytest.mark.parametrize(
    ("settings", "protocols", "udp"),
    [
        ({}, {Protocol.RTSP}, True),
        ({"rtsp_transports": ("tcp",)}, {Protocol.RTSP}, False),
        ({"rtsp_encryption": "optional"}, {Protocol.RTSP, Protocol.RTSPS}, True),
        ({"rtsp_encryption": "strict", "rtsp_transports": ("udp", "tcp")}, {Protocol.RTSPS}, True),
        ({"rtsp_encryption": "strict", "rtsp_transports": ("tcp",)}, {Protocol.RTSPS}, False),
        ({"rtsp": False}, set(), False),
    ],
)
def test_datagrams_are_for_rtsp_and_as_srtp_for_rtsps(
    settings: dict[str, object], protocols: set[Protocol], *, udp: bool
) -> None:
    wanted = Wanted.of(configuration(**settings).global_)
    assert set(wanted.listeners) == protocols
    assert (wanted.udp is not None) is udp


def test_what_is_followed_has_an_effect_and_the_other_way_round() -> None:
    ours = {key for key in EFFECTIVE_GLOBAL if key.startswith(("rtsp", "rtp", "rtcp", "multicast"))}
    assert set(KEYS) <= EFFECTIVE_GLOBAL
    assert ours - set(KEYS) == {"rtspAuthMethods"}, "which access follows"
