"""Tests of headgate.core.enumeration."""

from __future__ import annotations

import enum
import pickle

import pytest

from headgate.core.enumeration import plain_members


@plain_members
class Colour(enum.IntEnum):
    RED = 1
    GREEN = 2
    VERDANT = 2


def test_members_are_what_they_were() -> None:
    assert [each.name for each in Colour] == ["RED", "GREEN"]
    assert Colour.RED is Colour(1) is Colour["RED"]
    assert Colour.VERDANT is Colour.GREEN
    assert pickle.loads(pickle.dumps(Colour.GREEN)) is Colour.GREEN  # noqa: S301 (our own bytes)


def test_members_are_in_the_class_itself() -> None:
    assert vars(Colour)["RED"] is Colour.RED


def test_a_member_still_cannot_be_set() -> None:
    with pytest.raises(AttributeError):
        Colour.RED = 3  # type: ignore[misc, assignment]
