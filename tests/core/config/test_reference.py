from __future__ import annotations

from pathlib import Path

from headgate.core.config import GlobalConf, PathConf
from headgate.core.config.reference import reference

DOCUMENT = Path(__file__).parents[3] / "docs" / "configuration.md"
SOURCES = "publisher, redirect, `rtsp://`, `rtsps://`"


def test_the_document_is_current() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == reference(), (
        "run: python -m headgate.core.config.reference docs/configuration.md"
    )


def test_every_key_is_explained() -> None:
    lines = reference().splitlines()
    for key in (*GlobalConf.names(), *PathConf.names()):
        (row, *_) = [line for line in lines if line.startswith(f"| `{key}` |")]
        _, _, value, _, meaning, effect, _ = row.split(" | ") if row.count(" | ") == 6 else row.split("|")
        assert value.strip()
        assert meaning.strip()
        assert effect.strip() in {"yes", "not yet", "**refused**", SOURCES}
