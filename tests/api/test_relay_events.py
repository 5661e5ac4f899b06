"""The relay's events on `/events`, in the words of seed 000."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import Any

import httpx
import pytest

from headgate.api.event_filter import parse_types
from headgate.api.events import stream
from headgate.core.events import (
    Bus,
    PathNotReady,
    RelayAllocated,
    RelayChannelBound,
    RelayClosed,
    RelayPeerDenied,
    RelayPermitted,
    RelayRefreshed,
)
from headgate.core.session import SessionId
from tests.api.house import House
from tests.api.test_events import Message, parse

ID = SessionId.make(7, "")
NAMES: dict[str, Any] = {
    "session": ID,
    "service": "TURN",
    "address": "192.0.2.7:50198",
    "interface": "203.0.113.9:3478",
    "transport": "UDP",
    "username": "bob",
}


def publish_all(bus: Bus) -> None:
    bus.publish(RelayAllocated(**NAMES, relayed=("203.0.113.9:50000",), port=50_000))
    bus.publish(RelayChannelBound(**NAMES, channel=0x4000, peer="198.51.100.4:5000"))
    bus.publish(RelayPermitted(**NAMES, ports=(5000,), peers=("198.51.100.4:5000",)))
    bus.publish(RelayRefreshed(**NAMES, lifetime=600))
    bus.publish(RelayPeerDenied(**NAMES, peer="10.0.0.1:80"))
    bus.publish(RelayClosed(**NAMES))


async def ask(house: House, operator: httpx.AsyncClient, query: str = "") -> list[Message]:
    """What a subscriber gets who was here from the first event on."""
    publish_all(house.bus)
    house.bus.close()
    answer = await operator.get(f"/events?lastEventId=0{query}")
    assert answer.status_code == 200
    return parse(answer.content)


async def test_the_documents_names(house: House, operator: httpx.AsyncClient) -> None:
    messages = await ask(house, operator, "&types=relay")
    assert [message.type for message in messages] == [
        "allocate",
        "channel binding",
        "create permission",
        "refresh",
        "relay.peerDenied",
        "closed",
    ]
    allocate, binding, permission, refresh, _, closed = (message.data for message in messages)
    for data in (allocate, binding, permission, refresh, closed):
        assert data["session"]["address"] == "192.0.2.7:50198"
        assert data["session"]["interface"] == "203.0.113.9:3478"
        assert data["session"]["number"] == 7
        assert data["username"] == "bob"
    assert allocate["port"] == 50_000
    assert binding["channel"] == 0x4000
    assert permission["ports"] == [5000]
    assert refresh["lifetime"] == 600
    assert allocate["type"] == "relay.allocated"


async def test_the_wires_names(house: House, operator: httpx.AsyncClient) -> None:
    messages = await ask(house, operator, "&names=wire&types=relay")
    assert [message.type for message in messages] == [
        "allocated",
        "channel_bind",
        "create_permission",
        "refresh",
        "relay.peerDenied",
        "closed",
    ]


async def test_only_some(house: House, operator: httpx.AsyncClient) -> None:
    messages = await ask(house, operator, "&types=allocate,closed")
    assert [message.type for message in messages] == ["allocate", "closed"]


async def test_without_types_the_others_are_there_too(house: House, operator: httpx.AsyncClient) -> None:
    types = [message.type for message in await ask(house, operator)]
    assert types[0] == "service.started"
    assert "allocate" in types


@pytest.mark.parametrize("query", ["types=nothing", "names=theirs"])
async def test_what_there_is_not(operator: httpx.AsyncClient, query: str) -> None:
    assert (await operator.get(f"/events?{query}")).status_code == 400


async def test_in_silence_it_hears_how_far_the_others_have_come() -> None:
    bus = Bus()
    types = parse_types("closed")
    async with aclosing(stream(bus, after=None, heartbeat=0.01, types=types)) as source:
        assert (await anext(source)).startswith(b"retry")
        assert await anext(source) == b":\n\n"
        for _ in range(3):
            bus.publish(PathNotReady(path="cam"))
        async with asyncio.timeout(10):
            while (part := await anext(source)) == b":\n\n":
                pass
        assert part == b"id: 3\n\n"
        assert await anext(source) == b":\n\n"
        bus.publish(RelayClosed(**NAMES))
        async with asyncio.timeout(10):
            while (part := await anext(source)) == b":\n\n":
                pass
        assert part.startswith(b"id: 4\nevent: closed\n")


async def test_a_name_with_a_line_end_stays_one_event(house: House, operator: httpx.AsyncClient) -> None:
    house.bus.publish(RelayClosed(**{**NAMES, "username": "a\n\nevent: closed\ndata: {}\u2028"}))
    house.bus.close()
    answer = await operator.get("/events?lastEventId=0&types=closed")
    blocks = [block for block in answer.text.split("\n\n") if "data:" in block]
    assert len(blocks) == 1
    assert json.loads(blocks[0].partition("data: ")[2])["username"].startswith("a\n\nevent")
