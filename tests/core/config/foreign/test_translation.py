from __future__ import annotations

from pathlib import Path

import pytest

from headgate.core.config import load
from headgate.core.config.foreign.translation import Translation, printable


@pytest.mark.parametrize(
    "text", ["no", "0x1F", "null", "1e3", "'", '"', "\\n", "# x", ": y", "- z", "\u3042", "{a: b}", "~", "*x"]
)
def test_passwords_come_back_as_they_were(tmp_path: Path, text: str) -> None:
    translation = Translation()
    translation.keys["users"] = {"name": text}
    translation.check()
    out = tmp_path / "headgate.yml"
    out.write_text(translation.text(title="x"))
    users = load(out).configuration.own.turn.users
    assert {name: password.get_secret_value() for name, password in users.items()} == {"name": text}


def test_names_too(tmp_path: Path) -> None:
    names = ["no", "1", "a b", "- x", "#", "null", "\u3042", "<<"]
    translation = Translation()
    translation.keys["users"] = dict.fromkeys(names, "x")
    out = tmp_path / "headgate.yml"
    out.write_text(translation.text(title="x"))
    assert list(load(out).configuration.own.turn.users) == names


def test_only_what_is_wrong_is_taken_out() -> None:
    translation = Translation()
    translation.keys.update(
        realm='"',
        authSecrets=["short", "a secret of sixteen", "x"],
        quotas={"allocations": -1},
        relayPortRange="x",
    )
    translation.check()
    assert translation.keys == {"authSecrets": ["a secret of sixteen"], "quotas": {}}
    text = translation.text(title="x")
    for what in (
        "realm",
        "authSecrets, item 1",
        "authSecrets, item 3",
        "quotas, allocations",
        "relayPortRange",
    ):
        assert f"# - {what}: " in text


def test_what_a_comment_shows() -> None:
    assert printable("a\nb\x1b\u2028") == "a?b??"
    assert printable("x" * 100) == "x" * 64 + "\u2026"
