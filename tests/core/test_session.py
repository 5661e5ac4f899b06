"""An identity: random in every form that may not be guessed."""

from __future__ import annotations

import re

from headgate.core.session import SessionId


def test_forms_are_those_of_their_dialects_and_never_the_same_twice() -> None:
    made = [SessionId.make(number, "n1") for number in range(1, 2001)]
    assert all(one.uuid.version == 4 for one in made)
    assert all(re.fullmatch("[A-Z0-9]{13}", one.code) for one in made)
    assert len({one.uuid for one in made}) == len({one.code for one in made}) == len(made)


def test_every_place_of_a_code_has_every_character() -> None:
    codes = [SessionId.make(1, "").code for _ in range(2000)]
    assert all(len({code[place] for code in codes}) == 36 for place in range(13))
