"""A file that is moved away, and a system log that is started anew."""

from __future__ import annotations

import logging
import os
import socket
import stat
from pathlib import Path

import pytest

from headgate.core.errors import LogError
from headgate.core.log_destination import DATAGRAM_LIMIT, LogFile, SystemLog


def test_a_file_is_appended_to_and_begun_anew_when_it_was_moved(tmp_path: Path) -> None:
    path, moved = tmp_path / "x.log", tmp_path / "x.log.1"
    path.write_text("before\n")
    file = LogFile(path)
    file.write(logging.INFO, "one é \ud800")
    path.rename(moved)
    file.write(logging.INFO, "two")
    file.reopen()
    file.write(logging.INFO, "three")
    assert moved.read_text() == "before\none é ?\ntwo\n"
    assert path.read_text() == "three\n"
    path.unlink()
    path.mkdir()
    with pytest.raises(OSError):
        file.reopen()
    file.write(logging.INFO, "still the old one")
    file.close()


def test_a_new_file_is_not_for_everybody(tmp_path: Path) -> None:
    LogFile(tmp_path / "x.log").close()
    assert not stat.S_IMODE((tmp_path / "x.log").stat().st_mode) & stat.S_IRWXO


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"cannot write .*/no/x.log \(logFile\): no such file or directory"):
        LogFile(tmp_path / "no" / "x.log")


def listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listening.settimeout(10)
    listening.bind(str(path))
    return listening


def test_the_system_log_gets_datagrams_of_its_form(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with listen(path) as listening:
        log = SystemLog("gate", address=path)
        for level, priority in (
            (logging.ERROR, 27),
            (logging.WARNING, 28),
            (logging.INFO, 30),
            (logging.DEBUG, 31),
        ):
            log.write(level, "hello")
            assert listening.recv(65536) == f"<{priority}>gate[{os.getpid()}]: hello".encode()
        log.write(logging.INFO, "x" * 100_000)
        assert len(listening.recv(1 << 20)) == DATAGRAM_LIMIT
    log.close()


def test_a_system_log_that_was_started_anew_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    first = listen(path)
    log = SystemLog("gate", address=path)
    first.close()
    with pytest.raises(OSError):
        log.write(logging.INFO, "lost")
    with listen(path) as second:
        log.write(logging.INFO, "found")
        assert second.recv(65536).endswith(b"found")
    log.close()


def test_no_system_log(tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"no system log at .*/log \(logDestinations\): no such file"):
        SystemLog("gate", address=tmp_path / "log")
