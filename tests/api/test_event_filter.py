from __future__ import annotations

import pytest

from headgate.api.event_filter import parse_types
from headgate.api.failure import BadRequest
from headgate.core.events import (
    RelayAllocated,
    RelayChannelBound,
    RelayClosed,
    RelayEvent,
    SessionChanged,
    SessionClosed,
    SessionOpened,
)


@pytest.mark.parametrize("text", [None, ""])
def test_everything(text: str | None) -> None:
    assert parse_types(text) is None


def test_by_type_and_by_its_first_part() -> None:
    assert parse_types("session.closed") == {SessionClosed}
    assert parse_types("session") == {SessionOpened, SessionChanged, SessionClosed}
    relay = parse_types("relay")
    assert relay is not None
    assert {RelayAllocated, RelayClosed} < relay
    assert all(issubclass(kind, RelayEvent) for kind in relay)


@pytest.mark.parametrize("name", ["channel binding", "channel_bind", "relay.channelBound"])
def test_the_relays_by_any_name(name: str) -> None:
    assert parse_types(name) == {RelayChannelBound}
    assert parse_types(f"{name}, closed") == {RelayChannelBound, RelayClosed}


@pytest.mark.parametrize("text", ["nothing", "relay.", ",", "session.closed,", "a" * 3000])
def test_what_there_is_not(text: str) -> None:
    with pytest.raises(BadRequest):
        parse_types(text)
