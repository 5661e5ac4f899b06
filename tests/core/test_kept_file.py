from __future__ import annotations

from pathlib import Path

import pytest

from headgate.core.kept_file import keep_once


def test_what_was_kept_first_stays(tmp_path: Path) -> None:
    path = tmp_path / "state" / "secret"
    assert keep_once(path, "first", limit=100) == "first"
    assert keep_once(path, "second", limit=100) == "first"
    assert keep_once(path, "second", limit=2) == "fi"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_file_that_others_may_read(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("theirs")
    path.chmod(0o640)
    with pytest.raises(ValueError, match="others may read it"):
        keep_once(path, "ours", limit=100)
    assert path.read_text() == "theirs"
