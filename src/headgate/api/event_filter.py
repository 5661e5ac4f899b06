"""`?types=` of `/events`: which of all events a subscriber wants."""

from __future__ import annotations

from collections.abc import Iterator

from headgate.api.failure import BadRequest
from headgate.api.relay_events import Names, name_of
from headgate.core import events
from headgate.core.events import Event

__all__ = ["parse_types"]

LONGEST = 2048  # characters: all the types there are, twice


def parse_types(text: str | None) -> frozenset[type[Event]] | None:
    """Types, their first parts ("session", "relay"), and the relay's events by any of their names.

    None: everything. Raises BadRequest.
    """
    if not text:
        return None
    if len(text) > LONGEST:
        raise BadRequest("types is too long")
    known: dict[str, set[type[Event]]] = {}
    for kind, name in _names():
        known.setdefault(name, set()).add(kind)
    found: set[type[Event]] = set()
    for name in text.split(","):
        if (name := name.strip()) not in known:
            raise BadRequest(f"there is no event {name[:64]!r}")
        found |= known[name]
    return frozenset(found)


def _names() -> Iterator[tuple[type[Event], str]]:
    # Not `__subclasses__`: a dataclass with slots is another class than the one that was written down,
    # and both are there.
    for kind in vars(events).values():
        if isinstance(kind, type) and issubclass(kind, Event) and kind.TYPE:
            yield kind, kind.TYPE
            yield kind, kind.TYPE.partition(".")[0]
            for names in Names:
                yield kind, name_of(kind, names)
