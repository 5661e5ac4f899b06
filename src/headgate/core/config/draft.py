"""A configuration as it was written: texts, lists and mappings, and where each of them came from."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = ["Draft", "Location", "Origin", "did_you_mean", "dotted"]

Location = tuple[str | int, ...]
"""("paths", "cam1", "source"), ("authInternalUsers", 0, "ips", 1)."""


class Origin(NamedTuple):
    """Where something was written."""

    name: str
    """A file, or an environment variable."""
    line: int = 0
    """From 1; 0 for an environment variable, or a file as a whole."""

    def __str__(self) -> str:
        return f"{self.name}:{self.line}" if self.line else self.name


@dataclass(slots=True)
class Draft:
    """Filled by a file and then the environment, read by `Loader`.

    Leaves are texts exactly as written ("0123" stays that), or None for YAML's null.
    """

    data: dict[str, Any] = field(default_factory=dict)
    origins: dict[Location, Origin] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    _mistakes: list[tuple[Origin, str]] = field(default_factory=list)

    def put(self, location: Location, value: Any, origin: Origin) -> None:
        """Write a value where the mappings and lists that hold it may not exist yet."""
        here: Any = self.data
        for depth, step in enumerate(location[:-1]):
            inside: Any = [] if isinstance(location[depth + 1], int) else {}
            here = self._enter(here, step, inside)
            self.origins.setdefault(location[: depth + 1], origin)
        self._enter(here, location[-1], None)
        here[location[-1]] = value
        self.origins[location] = origin

    def get(self, location: Location) -> Any:
        """The value, or None where there is none."""
        here: Any = self.data
        for step in location:
            if isinstance(here, dict):
                here = here.get(str(step))
            elif isinstance(here, list) and isinstance(step, int) and step < len(here):
                here = here[step]
            else:
                return None
        return here

    @staticmethod
    def _enter(here: Any, step: str | int, inside: Any) -> Any:
        """What is at the step; an empty `inside` of the kind that is needed, where something else is."""
        if isinstance(here, list):
            if step == len(here):
                here.append(inside)
        elif here.get(step) is None or (inside is not None and type(here[step]) is not type(inside)):
            here[step] = inside
        return here[step]

    def origin(self, location: Location) -> Origin:
        """Where the value was written, else what is around it."""
        while location and location not in self.origins:
            location = location[:-1]
        return self.origins.get(location, Origin("configuration"))

    def line(self, location: Location, text: str) -> str:
        """ "headgate.yml:12: pathDefaults.recordFormat: …" """
        return ": ".join(part for part in (str(self.origin(location)), dotted(location), text) if part)

    def mistake(self, location: Location, text: str) -> None:
        self._mistakes.append((self.origin(location), self.line(location, text)))

    def mistake_of(self, origin: Origin, text: str) -> None:
        """A mistake of something that is nowhere in the draft."""
        self._mistakes.append((origin, f"{origin}: {text}"))

    def warn(self, location: Location, text: str) -> None:
        self.warnings.append(self.line(location, text))

    @property
    def mistakes(self) -> list[str]:
        """In the order of the file, then of the environment; each once."""
        ordered = sorted(self._mistakes, key=lambda item: (item[0].line == 0, item[0].line))
        return list(dict.fromkeys(text for _, text in ordered))


def dotted(location: Location) -> str:
    """ "paths.cam1.source", "authInternalUsers[0].ips[1]" """
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """ " (did you mean 'readTimeout'?)", or nothing."""
    by_lower: Mapping[str, str] = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.75)
    return f" (did you mean '{by_lower[close[0]]}'?)" if close else ""
