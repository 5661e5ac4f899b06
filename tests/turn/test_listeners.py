from __future__ import annotations

import pytest

from headgate.core.config.turn_conf import TurnConf, TurnInterface
from headgate.core.service import Endpoint
from headgate.turn.listeners import Opened, limits_of


def opened(external: str) -> Opened:
    interface = TurnInterface.model_validate({"transport": "udp", "bind": ":0", "external": external})
    return Opened(interface, 1, Endpoint("::", 40_000), None)


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("", None),
        ("203.0.113.5", Endpoint("203.0.113.5", 40_000)),
        ("203.0.113.5:443", Endpoint("203.0.113.5", 443)),
        ("2001:db8::5", Endpoint("2001:db8::5", 40_000)),
        ("[2001:db8::5]:443", Endpoint("2001:db8::5", 443)),
    ],
)
def test_how_clients_reach_it(text: str, endpoint: Endpoint | None) -> None:
    assert opened(text).external == endpoint


def test_what_the_engine_is_told() -> None:
    limits = limits_of(
        TurnConf.model_validate({"compatibleChannels": True, "quotas": {"answersPerSecond": 0}})
    )
    assert limits.compatible_channels
    assert limits.requests_per_second_per_address == 0
    shipped = limits_of(TurnConf())
    assert not shipped.compatible_channels
    assert shipped.requests_per_second_per_address == 400  # four for each answer to a stranger
