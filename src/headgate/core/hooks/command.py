"""A hook's command line: its words, and what stands for `$NAME` in them. No shell ever sees it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

__all__ = ["expand", "words"]

VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")


def words(line: str) -> tuple[str, ...]:
    """The program and its arguments, quoted as a shell wants them. Raises ValueError."""
    if "\0" in line:
        raise ValueError("a command cannot have a NUL character")
    try:
        parts = tuple(shlex.split(line))
    except ValueError as error:
        raise ValueError(f"is not a command line: {str(error).lower()}") from None
    if not parts or not parts[0]:
        raise ValueError("names no program")
    return parts


def expand(parts: Sequence[str], variables: Mapping[str, str]) -> list[str]:
    """Put values in. That happens after the line was split, so a value never makes another argument.

    Names that are not ours stay as they are written: they belong to whoever the command calls.
    """

    def value(match: re.Match[str]) -> str:
        return variables.get(match[1] or match[2], match[0])

    return [VARIABLE.sub(value, part) for part in parts]
