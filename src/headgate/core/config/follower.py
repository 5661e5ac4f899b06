"""A part that cannot refuse a change, and only has to be told of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from headgate.core.config.change import Change, Prepared

__all__ = ["Follower"]


@dataclass(frozen=True, slots=True)
class Follower:
    """`follow` is called once the change is in force, in the order of registration; it must not fail."""

    follow: Callable[[Change], object]
    concerned: Callable[[Change], bool] = bool

    async def prepare(self, change: Change) -> Prepared | None:
        return _Told(self.follow, change) if self.concerned(change) else None


@dataclass(frozen=True, slots=True)
class _Told:
    follow: Callable[[Change], object]
    change: Change

    def commit(self) -> None:
        self.follow(self.change)

    async def rollback(self) -> None:
        pass
