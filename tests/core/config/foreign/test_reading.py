from __future__ import annotations

from pathlib import Path

import pytest

from headgate.core.config.foreign import ForeignError, translate
from headgate.core.config.foreign.reading import SIZE_LIMIT, TOML_LIMIT


def test_whose_it_is_says_its_name(tmp_path: Path) -> None:
    for name, whose in (("a.conf", "coturn"), ("a", "coturn"), ("a.TOML", "turn-rs")):
        (tmp_path / name).write_text("")
        assert f"a configuration of {whose}." in translate(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("a.conf", b"\xff\xfe", "is not UTF-8 text"),
        ("a.conf", b"x" * (SIZE_LIMIT + 1), "is larger than 1024 KiB"),
        ("a.toml", b"#" * (TOML_LIMIT + 1), "is larger than 256 KiB"),
        ("a.toml", b"a = = b", "not TOML"),
        ("a.toml", b"a = " + b"[" * 100_000, "not TOML"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, name: str, content: bytes, text: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(ForeignError, match=text):
        translate(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ForeignError, match="no such file"):
        translate(tmp_path / "none.conf")
