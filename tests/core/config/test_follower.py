"""Who is told of a change, and when."""

from __future__ import annotations

from dataclasses import replace

from headgate.core.config import Configuration
from headgate.core.config.change import Change
from headgate.core.config.follower import Follower


def change(**given: object) -> Change:
    old = Configuration.default()
    return Change.between(old, replace(old, global_=old.global_.model_copy(update=given)))


async def test_it_is_told_once_the_change_is_in_force_and_not_of_one_that_is_taken_back() -> None:
    told: list[Change] = []
    follower = Follower(told.append)
    first, second = change(read_timeout=3.0), change(read_timeout=4.0)
    prepared = await follower.prepare(first)
    assert prepared is not None
    assert told == []
    prepared.commit()
    taken_back = await follower.prepare(second)
    assert taken_back is not None
    await taken_back.rollback()
    assert told == [first]


async def test_what_does_not_concern_it_it_never_hears_of() -> None:
    follower = Follower(lambda _: None, concerned=lambda change: change.concerns("logLevel"))
    assert await follower.prepare(change(read_timeout=3.0)) is None
