from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from headgate.core.descriptors import are_spare, is_shortage, left_by_players, left_by_relays


@pytest.mark.parametrize(
    ("limit", "players", "relays"),
    [(256, 128, 160), (1024, 512, 640), (4096, 640, 1152), (20_000, 640, 3140), (1 << 20, 640, 131_712)],
)
def test_what_is_not_for_strangers(limit: int, players: int, relays: int) -> None:
    assert (left_by_players(limit), left_by_relays(limit)) == (players, relays)


@pytest.fixture
def few() -> Iterator[int]:
    """A limit little above what is open."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = 4 * (max(int(one.name) for one in Path("/proc/self/fd").iterdir()) + 20)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limit, before[1]), before[1]))
    yield min(limit, before[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_last_ones_are_not_spare(few: int) -> None:
    with ExitStack() as opened:
        count = 0
        while are_spare():
            count += 1
            assert count < few, "it never ends"
            opened.callback(os.close, os.eventfd(0))
        assert max(int(one.name) for one in Path("/proc/self/fd").iterdir()) <= few - left_by_relays(few)
        for _ in range(left_by_relays(few)):
            opened.callback(os.close, os.eventfd(0))
        assert not are_spare(), "nor when there is none at all"
    assert are_spare()


def test_without_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert are_spare()


def test_what_another_try_does_not_mend() -> None:
    assert is_shortage(OSError(errno.EMFILE, "too many open files"))
    assert not is_shortage(OSError(errno.EADDRINUSE, "address already in use"))
    assert not is_shortage(TimeoutError())
