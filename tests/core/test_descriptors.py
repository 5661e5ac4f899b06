from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from headgate.core.descriptors import are_spare, spared


@pytest.mark.parametrize(
    ("limit", "number"), [(256, 128), (1024, 512), (4096, 640), (20_000, 2500), (1 << 20, 131_072)]
)
def test_what_is_not_for_strangers(limit: int, number: int) -> None:
    assert spared(limit) == number


@pytest.fixture
def few() -> Iterator[int]:
    """A limit little above what is open."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = 2 * (max(int(one.name) for one in Path("/proc/self/fd").iterdir()) + 20)
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
        assert max(int(one.name) for one in Path("/proc/self/fd").iterdir()) <= few - spared(few)
        for _ in range(spared(few)):
            opened.callback(os.close, os.eventfd(0))
        assert not are_spare(), "nor when there is none at all"
    assert are_spare()


def test_without_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert are_spare()
