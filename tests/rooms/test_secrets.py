"""Secrets that are made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.core.config.rooms_conf import RoomsConf
from headgate.rooms.secrets import FILE, Secrets


def test_made_once_and_kept(tmp_path: Path) -> None:
    made = Secrets.of(RoomsConf(), directory=tmp_path / "state")
    assert made == Secrets.of(RoomsConf(), directory=tmp_path / "state")
    assert (tmp_path / "state" / FILE).stat().st_mode & 0o777 == 0o600
    assert len({made.session, made.encryption, made.users, made.server_token}) == 4
    assert made.session.decode() not in repr(made)


def test_configured_ones_come_first(tmp_path: Path) -> None:
    conf = RoomsConf.model_validate({"sessionSecret": "s" * 32, "serverToken": "public"})
    secrets = Secrets.of(conf, directory=tmp_path)
    assert (secrets.session, secrets.server_token) == (b"s" * 32, "public")


@pytest.mark.parametrize("text", ["", "{}", "[]", "{", '{"session": "short"}'])
def test_a_file_that_is_none(tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FILE).write_text(text)
    (tmp_path / FILE).chmod(0o600)
    assert len(Secrets.of(RoomsConf(), directory=tmp_path).session) > 30
    assert FILE in caplog.text


def test_a_file_that_others_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept = Secrets.of(RoomsConf(), directory=tmp_path)
    (tmp_path / FILE).chmod(0o644)
    assert Secrets.of(RoomsConf(), directory=tmp_path) != kept
    assert "others may read it" in caplog.text


def test_without_a_place() -> None:
    assert Secrets.of(RoomsConf(), directory=None) != Secrets.of(RoomsConf(), directory=None)
