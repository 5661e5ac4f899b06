from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

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
