"""The relay's events on `/events`: what seed 000 calls them, and what it puts into them."""

from __future__ import annotations

import enum
from typing import Any

from headgate.core.events import (
    Event,
    Published,
    RelayAllocated,
    RelayChannelBound,
    RelayClosed,
    RelayEvent,
    RelayPermitted,
    RelayRefreshed,
)

__all__ = ["Names", "data_of", "name_of"]


class Names(enum.StrEnum):
    DOCUMENT = "document"
    """As the headings of seed 000."""
    WIRE = "wire"
    """As turn-rs sends them."""


NAMES: dict[type[Event], dict[Names, str]] = {
    RelayAllocated: {Names.DOCUMENT: "allocate", Names.WIRE: "allocated"},
    RelayChannelBound: {Names.DOCUMENT: "channel binding", Names.WIRE: "channel_bind"},
    RelayPermitted: {Names.DOCUMENT: "create permission", Names.WIRE: "create_permission"},
    RelayRefreshed: {Names.DOCUMENT: "refresh", Names.WIRE: "refresh"},
    RelayClosed: {Names.DOCUMENT: "closed", Names.WIRE: "closed"},
}


def name_of(kind: type[Event], names: Names) -> str:
    """What the stream calls it; every other event by its type."""
    known = NAMES.get(kind)
    return known[names] if known is not None else kind.TYPE


def data_of(published: Published) -> dict[str, Any]:
    """The event's fields; of a relay's, `session` says address and interface first."""
    data = published.document()
    event = published.event
    if isinstance(event, RelayEvent):
        data["session"] = {"address": event.address, "interface": event.interface, **data["session"]}
    return data
