"""An identity: random in every form that may not be guessed."""

from __future__ import annotations

import re

import pytest

from headgate.core.session import SessionId


def test_forms_are_those_of_their_dialects_and_never_the_same_twice() -> None:
    made = [SessionId.make(number, "n1") for number in range(1, 2001)]
    assert all(one.uuid.version == 4 for one in made)
    assert all(re.fullmatch("[A-Z0-9]{13}", one.code) for one in made)
    assert len({one.uuid for one in made}) == len({one.code for one in made}) == len(made)


def test_every_place_of_a_code_has_every_character() -> None:
    codes = [SessionId.make(1, "").code for _ in range(2000)]
    assert all(len({code[place] for code in codes}) == 36 for place in range(13))


def test_a_code_reads_as_the_number_it_was_made_from() -> None:
    made = [SessionId.make(1, "") for _ in range(100)]
    assert all(SessionId.read_code(one.code) == one.code_number for one in made)


@pytest.mark.parametrize("text", ["", "A", "A" * 12, "A" * 14, "a" * 13, "A" * 12 + "-", "A" * 12 + "\u0661"])
def test_what_is_no_code_has_no_number(text: str) -> None:
    assert SessionId.read_code(text) is None
