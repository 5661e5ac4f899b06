from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from headgate.core.config import state_file
from headgate.core.config.state_file import SIZE_LIMIT, StateFile, state_directory
from headgate.core.errors import Refused


def test_where_it_is(tmp_path: Path) -> None:
    assert state_directory({"HEADGATE_STATE_DIR": str(tmp_path)}) == tmp_path
    assert state_directory({}).name == "headgate"
    one, other = (StateFile(tmp_path, Path(name)).path for name in ("a.yml", "b.yml"))
    assert one != other
    assert StateFile(tmp_path, Path("a.yml").absolute()).path == one


def test_what_is_written_is_read_and_nobody_elses(tmp_path: Path) -> None:
    with StateFile(tmp_path / "deep" / "state", None) as state:
        assert state.read() is None
        state.write("one")
        state.write("two")
        assert state.read() == "two"
        assert stat.S_IMODE(state.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(state.path.parent.stat().st_mode) == 0o700
        state.clear()
        state.clear()
        assert state.read() is None


def test_one_server_holds_it(tmp_path: Path) -> None:
    with StateFile(tmp_path, None), pytest.raises(BlockingIOError):
        StateFile(tmp_path, None).__enter__()
    with StateFile(tmp_path, None):
        pass


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with StateFile(tmp_path, None) as state:
        state.write("before")
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            state.write("after")
        assert state.read() == "before"
        assert len(list(tmp_path.iterdir())) == 2  # and the lock


def test_what_a_crash_left_is_removed(tmp_path: Path) -> None:
    state = StateFile(tmp_path, None)
    leftover = tmp_path / f".{state.path.stem}-abc"
    leftover.touch()
    with state:
        assert not leftover.exists()


def test_it_is_bounded(tmp_path: Path) -> None:
    with StateFile(tmp_path, None) as state:
        with pytest.raises(Refused, match="more than 16 MiB"):
            state.write("x" * (SIZE_LIMIT + 1))
        with state.path.open("wb") as file:
            file.truncate(SIZE_LIMIT + 1)
        with pytest.raises(ValueError, match="larger than 16 MiB"):
            state.read()


def test_it_can_be_put_aside(tmp_path: Path) -> None:
    with StateFile(tmp_path, None) as state:
        state.write("bad")
        assert state.put_aside().read_text() == "bad"
        assert state.read() is None


class TestLines:
    """Behind what was written whole."""

    def test_they_stand_behind_it(self, tmp_path: Path) -> None:
        with StateFile(tmp_path, None) as state:
            assert not state.append("first\n"), "nothing is there that this process has written"
            state.write("whole\n")
            assert state.append("one\n")
            assert state.append("two\n")
            assert state.read() == "whole\none\ntwo\n"
            state.write("again\n")
            assert state.read() == "again\n"
            state.clear()
            assert not state.append("three\n")
            state.write("whole\n")
            state.path.unlink()
            assert not state.append("three\n"), "somebody has removed it"

    def test_a_server_that_starts_does_not_trust_the_end(self, tmp_path: Path) -> None:
        with StateFile(tmp_path, None) as state:
            state.write("whole\n")
        with StateFile(tmp_path, None) as state:
            assert not state.append("line\n")

    def test_it_is_written_anew_when_it_has_doubled(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(state_file, "LEAST_REWRITTEN", 0)
        with StateFile(tmp_path, None) as state:
            state.write("12345678\n")
            assert state.append("1234\n")
            assert not state.append("12345\n")
            assert not state.append("\n"), "it has to be written whole first"

    @pytest.mark.parametrize("fails", ["fdatasync", "write"])
    def test_one_that_fails_leaves_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
    ) -> None:
        write = os.write

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        with StateFile(tmp_path, None) as state:
            state.write("whole\n")
            assert state.append("one\n")
            half = lambda descriptor, data: write(descriptor, data[:2])  # noqa: E731
            monkeypatch.setattr(os, fails, full if fails == "fdatasync" else half)
            with pytest.raises(OSError, match="No space"):
                state.append("two\n")
            monkeypatch.undo()
            assert state.read() == "whole\none\n"
            assert not state.append("three\n"), "written whole next"
