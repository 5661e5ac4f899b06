"""How a client that sends back what stands for a secret changes nothing.

REDACTED on input means the secret that is there now. It may be a part of a text, as in rtsp://user:…@host.
"""

from __future__ import annotations

import re
from typing import Any

from headgate.core.config.secrets import REDACTED

__all__ = ["has_redacted", "keep"]


def has_redacted(value: Any) -> bool:
    if isinstance(value, dict):
        return any(has_redacted(item) for item in value.values())
    if isinstance(value, list):
        return any(has_redacted(item) for item in value)
    return isinstance(value, str) and REDACTED in value


def keep(given: Any, current: Any) -> Any:
    """`given` with the secrets of `current` in it. Raises ValueError where there is nothing to keep.

    A secret is kept only beside what it was given for: a password does not follow its URL to
    another host, nor its user's entry to another name.
    """
    if isinstance(given, dict):
        inside = current if isinstance(current, dict) else {}
        return {key: keep(value, inside.get(key)) for key, value in given.items()}
    if isinstance(given, list):
        candidates = current if isinstance(current, list) else []
        return [
            keep(item, _partner(item, candidates, at=index)) if has_redacted(item) else item
            for index, item in enumerate(given)
        ]
    if not has_redacted(given):
        return given
    if isinstance(current, str) and current and _stands_for(given, current):
        return current
    raise ValueError(f"{REDACTED} stands for a secret, and there is none to keep here; give it in full")


def _stands_for(given: str, current: str) -> bool:
    pattern = ".+".join(re.escape(part) for part in given.split(REDACTED))
    return re.fullmatch(pattern, current, re.DOTALL) is not None


def _partner(given: Any, candidates: list[Any], *, at: int) -> Any:
    """The item that `given` was: the one at its place if that has its name, else the only one with it."""
    if at < len(candidates) and _same(given, candidates[at]):
        return candidates[at]
    same = [candidate for candidate in candidates if _same(given, candidate)]
    return same[0] if len(same) == 1 else None


def _same(given: Any, candidate: Any) -> bool:
    """Whether both are entries of the same name, which is what their first key says: user, or url."""
    if not isinstance(given, dict) or not isinstance(candidate, dict):
        return isinstance(given, str) and isinstance(candidate, str) and _stands_for(given, candidate)
    name = next(iter(candidate), None)
    if name is None or name not in given:
        return False
    one, other = given[name], candidate[name]
    return one == other or (has_redacted(one) and isinstance(one, str) and _stands_for(one, str(other)))
