"""Log lines find their stream, and a reader who stops reading stops nobody."""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Iterator

import pytest

from headgate.core import log
from headgate.core.log import LogWriter

LOGGER = logging.getLogger("headgate.test")


@pytest.fixture(autouse=True)
def _root_as_before() -> Iterator[None]:
    root, uvicorn = logging.getLogger(), logging.getLogger("uvicorn")
    levels = root.level, uvicorn.level
    yield
    root.setLevel(levels[0])
    uvicorn.setLevel(levels[1])


def test_warnings_go_to_stderr_and_the_rest_to_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with LogWriter(level=logging.INFO):
        LOGGER.info("session %d opened", 1)
        LOGGER.debug("not asked for")
        LOGGER.warning("careful")
    LOGGER.error("nobody is there any more")
    assert [line.split(maxsplit=2)[2] for line in out.getvalue().splitlines()] == ["INFO    session 1 opened"]
    assert [line.split(maxsplit=2)[2] for line in err.getvalue().splitlines()] == ["WARNING careful"]


class Stuck(io.StringIO):
    """A pipe whose reader does not read, until it does."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self.go_on = threading.Event()

    def write(self, text: str) -> int:
        self.reached.set()
        self.go_on.wait(10)
        return super().write(text)


def test_lines_that_find_no_room_are_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = Stuck(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setattr(log, "CAPACITY", 3)
    with LogWriter(level=logging.INFO) as writer:
        LOGGER.info("being written")
        assert out.reached.wait(10)
        for number in range(10):
            LOGGER.info("line %d", number)
        out.go_on.set()
        writer.drained()
        LOGGER.info("late")
    assert [line.split()[-1] for line in out.getvalue().splitlines()] == ["written", "0", "1", "2", "late"]
    assert "7 log lines were dropped" in err.getvalue()
