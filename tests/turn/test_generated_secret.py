from __future__ import annotations

from pathlib import Path

import pytest

from headgate.turn.generated_secret import FILE, generated_secret


def test_it_is_made_once_and_nobody_else_reads_it(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    secret = generated_secret(directory)
    assert len(secret) >= 32
    assert (directory / FILE).stat().st_mode & 0o777 == 0o600
    assert generated_secret(directory) == secret


def test_without_a_place_it_is_for_this_run() -> None:
    assert generated_secret(None) != generated_secret(None)


@pytest.mark.parametrize(("content", "mode"), [("short", 0o600), ("x" * 300, 0o600), ("a" * 32, 0o644)])
def test_what_is_no_secret_is_not_used_nor_overwritten(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str, mode: int
) -> None:
    file = tmp_path / FILE
    file.write_text(content)
    file.chmod(mode)
    assert generated_secret(tmp_path) != content
    assert file.read_text() == content
    assert str(file) in caplog.text
    assert content not in caplog.text


def test_where_nothing_can_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    assert generated_secret(tmp_path / "file")
    assert "end with this server" in caplog.text
