"""Log lines find their stream, and a reader who stops reading stops nobody."""

from __future__ import annotations

import dataclasses
import io
import json
import logging
import queue
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate.core import log
from headgate.core.config import Configuration, GlobalConf
from headgate.core.config.choices import LogFormat
from headgate.core.log import LogWriter
from headgate.core.log_destination import LogFile

LOGGER = logging.getLogger("headgate.test")


@pytest.fixture(autouse=True)
def _root_as_before() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("", "uvicorn", "asyncio")]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


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
        self.written: queue.SimpleQueue[str] = queue.SimpleQueue()

    def write(self, text: str) -> int:
        self.reached.set()
        self.go_on.wait(10)
        length = super().write(text)
        self.written.put(text)
        return length


def test_lines_that_find_no_room_are_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = Stuck(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setattr(log, "CAPACITY", 3)
    with LogWriter(level=logging.INFO):
        LOGGER.info("being written")
        assert out.reached.wait(10)
        for number in range(10):
            LOGGER.info("line %d", number)
        out.go_on.set()
        while "line 2" not in out.written.get(timeout=10):
            pass
        LOGGER.info("late")
    assert [line.split()[-1] for line in out.getvalue().splitlines()] == ["written", "0", "1", "2", "late"]
    assert "7 log lines were dropped" in err.getvalue()


class Broken:
    """A disk that is full."""

    def write(self, level: int, line: str) -> None:
        raise OSError("no space left on device")

    def reopen(self) -> None:
        raise OSError("no space left on device")

    def close(self) -> None:
        pass


class Following(LogFile):
    """Says when a line is written."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.wrote = threading.Event()

    def write(self, level: int, line: str) -> None:
        super().write(level, line)
        self.wrote.set()


def test_one_destination_that_fails_takes_nothing_from_the_others(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    file = Following(path)
    with LogWriter(level=logging.INFO, form=LogFormat.JSON, destinations=[Broken(), file]) as writer:
        LOGGER.info("one")
        assert file.wrote.wait(10)
        path.rename(tmp_path / "x.log.1")
        writer.reopen()
        LOGGER.info("two")
    assert [json.loads(line)["message"] for line in path.read_text().splitlines()] == ["two"]
    assert json.loads((tmp_path / "x.log.1").read_text())["message"] == "one"


def test_it_goes_where_the_configuration_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.log"
    settings = GlobalConf(log_level="warn", log_destinations=("stdout", "file"), log_file=str(path))
    with LogWriter.of(dataclasses.replace(Configuration.default(), global_=settings)):
        LOGGER.info("not asked for")
        LOGGER.warning("careful")
    assert path.read_text().endswith("WARNING careful\n")
    assert capsys.readouterr().err == path.read_text()
