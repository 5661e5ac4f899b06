"""Values that come back."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from headgate.rooms.sealed import Seal

SEAL = Seal(b"key")


@given(st.lists(st.text(max_size=50), max_size=4))
def test_back_as_it_was(values: list[str]) -> None:
    text = SEAL.seal("kind", *values, now=1000.0)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", text), "fit for a URL as it is"
    assert SEAL.open("kind", text, now=1000.0) == tuple(values)


def test_of_another_kind_key_or_time() -> None:
    text = SEAL.seal("kind", "value", now=1000.0)
    assert SEAL.open("other", text, now=1000.0) is None
    assert Seal(b"other").open("kind", text, now=1000.0) is None
    assert SEAL.open("kind", text, now=1300.0, age=300.0) == ("value",)
    assert SEAL.open("kind", text, now=1301.0, age=300.0) is None
    assert SEAL.open("kind", text, now=900.0) is None, "from the future"


def test_every_changed_character_is_seen() -> None:
    text = SEAL.seal("kind", "value", now=1000.0)
    for index, char in enumerate(text):
        changed = text[:index] + ("A" if char != "A" else "B") + text[index + 1 :]
        opened = SEAL.open("kind", changed, now=1000.0)
        # The last character has bits that are no part of any byte.
        assert opened is None or index == len(text) - 1


@given(st.text(max_size=200))
def test_anything_else(text: str) -> None:
    assert SEAL.open("kind", text, now=1000.0) is None
