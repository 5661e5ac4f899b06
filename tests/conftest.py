"""What every test shares."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

import pytest
from hypothesis import settings

from tests.side_by_side import Schedule, turn

# A shared machine stalls now and then for longer than any deadline fit for a developer's own;
# on failure the blob that reproduces it is printed.
settings.register_profile("headgate", deadline=None, print_blob=True)
settings.load_profile("headgate")


@pytest.fixture(scope="session", autouse=True)
def state_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test touches the state of whoever runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "HEADGATE_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    with turn(alone=item.get_closest_marker("alone") is not None):
        return (yield)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Side by side the journeys begin, as they take longest: at the end no process waits long for another."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: not item.nodeid.startswith("tests/journeys/"))


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Schedule:
    return Schedule(config, log)
