"""What a new configuration changes, and who has to follow it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol, Self

from headgate.core.config.configuration import Configuration
from headgate.core.config.section import Section

__all__ = ["Applier", "Change", "Prepared"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """From one configuration to the next, and where they differ; keys are as in the file."""

    old: Configuration
    new: Configuration
    global_keys: frozenset[str]
    default_keys: frozenset[str]
    application_keys: frozenset[str]
    own_keys: frozenset[str]
    paths: frozenset[str]
    """Configuration names that came, went or have another configuration now."""

    @classmethod
    def between(cls, old: Configuration, new: Configuration, *, paths: Collection[str] | None = None) -> Self:
        """`paths`: those that can differ, where the caller knows."""
        if paths is None:
            paths = () if old.paths is new.paths else {*old.paths, *new.paths}
        return cls(
            old=old,
            new=new,
            global_keys=_differing(old.global_, new.global_),
            default_keys=_differing(old.path_defaults, new.path_defaults),
            application_keys=_differing(old.applications, new.applications),
            own_keys=_differing(old.own, new.own),
            paths=frozenset(name for name in paths if old.paths.get(name) != new.paths.get(name)),
        )

    def __bool__(self) -> bool:
        return bool(
            self.global_keys or self.own_keys or self.default_keys or self.application_keys or self.paths
        )

    def concerns(self, *keys: str) -> bool:
        """Whether one of these keys of the top level differs."""
        return not (self.global_keys | self.own_keys).isdisjoint(keys)

    @property
    def keys(self) -> list[str]:
        """Everything that differs, by name alone: "readTimeout", "pathDefaults.maxReaders", "paths.cam1"."""
        return [
            *sorted(self.global_keys | self.own_keys),
            *sorted(f"pathDefaults.{key}" for key in self.default_keys),
            *sorted(f"applications.{key}" for key in self.application_keys),
            *sorted(f"paths.{name}" for name in self.paths),
        ]


class Prepared(Protocol):
    """Everything a part needs for a change is open and checked; one of these two follows."""

    def commit(self) -> None:
        """Go over to the new, and let go of the old. Cannot fail."""

    async def rollback(self) -> None:
        """Let go of the new."""


class Applier(Protocol):
    """A part of the server that follows the configuration."""

    async def prepare(self, change: Change) -> Prepared | None:
        """Open and check what the change needs, and alter nothing; None: it does not concern this part.

        Raises HeadgateError, OSError or ValueError when it cannot be; the text is told to the operator.
        """


def _differing(old: Section, new: Section) -> frozenset[str]:
    if old is new:
        return frozenset()
    return frozenset(key for key, name in old.names().items() if getattr(old, name) != getattr(new, name))
