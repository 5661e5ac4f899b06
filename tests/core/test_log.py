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
from headgate.core.config.change import Change
from headgate.core.config.choices import LogFormat
from headgate.core.errors import LogError
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


def change(new: Configuration) -> Change:
    return Change.between(Configuration.default(), new)


def configured(*, form: LogFormat = LogFormat.TEXT, **settings: object) -> Configuration:
    default = Configuration.default()
    return dataclasses.replace(
        default,
        global_=GlobalConf.model_validate(settings),
        own=default.own.model_copy(update={"log_format": form}),
    )


async def test_it_goes_over_to_other_destinations_and_another_form(tmp_path: Path) -> None:
    old, new = tmp_path / "old.log", tmp_path / "new.log"
    with LogWriter(level=logging.INFO, destinations=[LogFile(old)]) as writer:
        LOGGER.info("before")
        prepared = await writer.prepare(
            change(configured(form=LogFormat.JSON, log_destinations=("file",), log_file=str(new)))
        )
        assert prepared is not None
        LOGGER.info("while it is prepared")
        prepared.commit()
        LOGGER.info("after")
    assert [line.split()[-1] for line in old.read_text().splitlines()] == ["before", "prepared"]
    assert [json.loads(line)["message"] for line in new.read_text().splitlines()] == ["after"]


async def test_lines_that_wait_go_where_they_were_to_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Stuck()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(log, "CAPACITY", 3)
    with LogWriter(level=logging.INFO) as writer:
        LOGGER.info("being written")
        assert out.reached.wait(10)
        for number in range(10):
            LOGGER.info("line %d", number)
        prepared = await writer.prepare(
            change(configured(log_destinations=("file",), log_file=str(tmp_path / "x")))
        )
        assert prepared is not None
        prepared.commit()  # though the queue is full
        out.go_on.set()
        while "line 2" not in out.written.get(timeout=10):
            pass  # then there is room in the queue
        LOGGER.info("late")
    assert [line.split()[-1] for line in out.getvalue().splitlines()] == ["written", "0", "1", "2"]
    dropped, late = (tmp_path / "x").read_text().splitlines()
    assert "7 log lines were dropped" in dropped
    assert late.endswith("late")


async def test_a_destination_that_cannot_be_opened_changes_nothing(tmp_path: Path) -> None:
    nowhere = configured(log_destinations=("stdout", "file"), log_file=str(tmp_path / "nowhere" / "x.log"))
    with LogWriter(level=logging.INFO, destinations=[LogFile(tmp_path / "x.log")]) as writer:
        with pytest.raises(LogError, match=r"cannot write .*x.log \(logFile\): no such file"):
            await writer.prepare(change(nowhere))
        fine = await writer.prepare(
            change(configured(log_destinations=("file",), log_file=str(tmp_path / "y")))
        )
        assert fine is not None
        await fine.rollback()
        LOGGER.info("still here")
    assert (tmp_path / "x.log").read_text().endswith("still here\n")
    assert (tmp_path / "y").read_text() == ""


async def test_what_is_no_concern_of_a_log() -> None:
    with LogWriter(level=logging.INFO) as writer:
        assert await writer.prepare(change(configured(log_level="debug", read_timeout="3s"))) is None
