"""Which addresses are our own listeners'."""

from __future__ import annotations

import pytest

from headgate.core.service import Endpoint
from headgate.turn.own_listeners import OwnListeners
from headgate.turn.stun.address import TransportAddress

LISTENERS = [
    Endpoint("127.0.0.1", 9997),
    Endpoint("0.0.0.0", 8080),
    Endpoint("::", 8554),
    Endpoint("203.0.113.9", 3478),
]


@pytest.mark.parametrize(
    ("host", "port", "is_ours"),
    [
        ("127.0.0.1", 9997, True),
        ("127.0.0.2", 9997, False),
        ("127.0.0.1", 9998, False),
        ("127.0.0.2", 8080, True),
        ("192.0.2.1", 8080, False),  # of no machine
        ("::1", 8554, True),
        ("127.0.0.1", 8554, True),  # it takes IPv4 too
        ("2001:db8::1", 8554, False),
        ("203.0.113.9", 3478, True),
    ],
)
def test_whose(host: str, port: int, *, is_ours: bool) -> None:
    assert OwnListeners(lambda: LISTENERS).has(TransportAddress(host, port)) is is_ours


def test_those_that_there_are_now() -> None:
    listeners = [Endpoint("127.0.0.1", 1)]
    own = OwnListeners(lambda: listeners)
    listeners[:] = [Endpoint("127.0.0.1", 2)]
    assert not own.has(TransportAddress("127.0.0.1", 1))
    assert own.has(TransportAddress("127.0.0.1", 2))
