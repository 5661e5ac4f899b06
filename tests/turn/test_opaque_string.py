from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.turn.opaque_string import opaque_string


@pytest.mark.parametrize("name", ["bob", "1700000000:bob", "a b", "%s%n", "'; --", "../x", "マトリックス"])
def test_most_names_stay_as_they_are(name: str) -> None:
    assert opaque_string(name) == name


def test_one_form_of_every_name() -> None:
    assert opaque_string("Zoe\u0308") == opaque_string("Zo\u00eb")
    assert opaque_string("a\u3000b") == opaque_string("a\u00a0b") == "a b"


@pytest.mark.parametrize("name", ["", "a\0b", "a\r\nb", "\x1b[31m", "a\u200bb", "\u202eevil", "\ue000"])
def test_what_cannot_be_seen_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="a name"):
        opaque_string(name)


@given(st.text())
def test_it_is_stable_and_has_no_control_characters(text: str) -> None:
    try:
        name = opaque_string(text)
    except ValueError:
        return
    assert opaque_string(name) == name
    assert not any(ord(character) < 32 for character in name)
