from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from headgate.api import events
from headgate.api.events import SUBSCRIBER_LIMIT, stream
from headgate.core.events import RING_CAPACITY, Bus, PathNotReady
from headgate.core.session import CloseReason
from tests.api.house import House


@dataclass
class Message:
    """One event as a browser would read it."""

    id: str
    type: str
    data: dict[str, Any]


def parse(text: bytes) -> list[Message]:
    messages = []
    for block in text.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in fields:
            messages.append(Message(fields["id"], fields["event"], json.loads(fields["data"])))
    return messages


async def messages(source: AsyncGenerator[bytes, None]) -> AsyncGenerator[Message, None]:
    async for part in source:
        for message in parse(part):
            yield message


async def everything(bus: Bus, *, after: int | None) -> list[Message]:
    """What a subscriber of a bus that closes now gets."""
    bus.close()
    return [message async for message in messages(stream(bus, after=after))]


def publish(bus: Bus, count: int) -> None:
    for _ in range(count):
        bus.publish(PathNotReady(path="cam"))


class TestStream:
    async def test_begins_with_the_time_to_come_back_after(self) -> None:
        async with aclosing(stream(Bus(), after=None)) as source:
            assert await anext(source) == b"retry: 2000\n\n"

    async def test_an_event(self, house: House) -> None:
        async with aclosing(messages(stream(house.bus, after=house.bus.last_id))) as source:
            session = house.visit()
            house.registry.close(session, CloseReason.KICKED)
            opened, closed = await anext(source), await anext(source)

        assert (opened.id, opened.type) == (str(house.bus.last_id - 1), "session.opened")
        assert opened.data["type"] == "session.opened"
        assert opened.data["session"]["id"] == str(session.id.uuid)
        assert (closed.id, closed.type) == (str(house.bus.last_id), "session.closed")
        assert closed.data["reason"] == "kicked by an operator"

    async def test_without_an_id_it_begins_now(self) -> None:
        bus = Bus()
        publish(bus, 3)

        async with aclosing(messages(stream(bus, after=None))) as source:
            waiting = asyncio.ensure_future(anext(source))
            await asyncio.sleep(0)  # it subscribes
            publish(bus, 1)
            assert (await waiting).id == "4"

    async def test_it_goes_on_where_the_subscriber_was(self) -> None:
        bus = Bus()
        publish(bus, 5)

        assert [message.id for message in await everything(bus, after=3)] == ["4", "5"]

    async def test_a_subscriber_that_has_everything(self) -> None:
        bus = Bus()
        publish(bus, 5)

        assert await everything(bus, after=5) == []

    async def test_what_the_ring_forgot_is_counted(self) -> None:
        bus = Bus()
        publish(bus, RING_CAPACITY + 10)

        lost, first, *rest = await everything(bus, after=4)

        assert (lost.type, lost.data) == ("lost", {"type": "lost", "count": 6})
        assert (lost.id, first.id) == ("10", "11")
        assert len(rest) == RING_CAPACITY - 1

    async def test_what_a_slow_subscriber_missed_is_counted(self) -> None:
        bus = Bus()
        publish(bus, 1)
        async with aclosing(messages(stream(bus, after=0))) as source:
            assert (await anext(source)).id == "1"
            publish(bus, 1030)  # while it takes nothing
            bus.close()
            received = [message async for message in source]

        assert (received[0].type, received[0].data["count"]) == ("lost", 6)
        assert [message.id for message in received[1:]] == [str(number) for number in range(8, 1032)]
        assert bus.missed == 6

    async def test_an_id_of_a_former_life_of_the_server(self) -> None:
        bus = Bus()
        publish(bus, 2)

        received = await everything(bus, after=1000)

        assert (received[0].type, received[0].data["count"]) == ("lost", None)
        assert [message.id for message in received] == ["0", "1", "2"]

    async def test_silence_is_broken_by_a_comment(self) -> None:
        async with aclosing(stream(Bus(), after=None, heartbeat=0)) as source:
            await anext(source)
            assert await anext(source) == b":\n\n"
            assert await anext(source) == b":\n\n"

    async def test_it_ends_with_the_bus_after_what_was_published(self) -> None:
        bus = Bus()
        async with aclosing(stream(bus, after=None)) as source:
            await anext(source)
            publish(bus, 1)
            bus.close()
            assert [message.id for message in parse(b"".join([part async for part in source]))] == ["1"]

    async def test_leaving_ends_the_subscription(self) -> None:
        bus = Bus()
        async with aclosing(stream(bus, after=None)) as source:
            await anext(source)
        publish(bus, 2000)

        assert bus.missed == 0


class TestRequests:
    async def test_a_replay_by_header_or_query(self, house: House, operator: httpx.AsyncClient) -> None:
        publish(house.bus, 3)
        last = house.bus.last_id
        house.bus.close()

        by_header = await operator.get("/events", headers={"Last-Event-ID": str(last - 2)})
        by_query = await operator.get(f"/events?lastEventId={last - 2}")

        assert by_header.headers["content-type"].startswith("text/event-stream")
        assert by_header.headers["cache-control"] == "no-store"
        assert [message.id for message in parse(by_header.content)] == [str(last - 1), str(last)]
        assert by_query.content == by_header.content

    @pytest.mark.parametrize("id", ["x", "-1", "1.5", "9" * 5000, "²"])
    async def test_a_bad_id(self, operator: httpx.AsyncClient, id: str) -> None:
        answer = await operator.get("/events", params={"lastEventId": id})

        assert (answer.status_code, answer.json()) == (400, {"error": "Last-Event-ID is not a number"})

    async def test_subscribers_are_few(self, house: House, operator: httpx.AsyncClient) -> None:
        async with asyncio.TaskGroup() as group:
            streams = [group.create_task(operator.get("/events")) for _ in range(SUBSCRIBER_LIMIT)]
            while house.app.state.subscribers.open < SUBSCRIBER_LIMIT:  # noqa: ASYNC110 - no time passes
                await asyncio.sleep(0)

            refused = await operator.get("/events")
            house.bus.close()

        assert refused.status_code == 503
        assert refused.json() == {"error": "there are 64 subscribers already"}
        assert {task.result().status_code for task in streams} == {200}
        assert house.app.state.subscribers.open == 0
        assert (await operator.get("/events")).status_code == 200

    async def test_a_client_that_goes_away(self, house: House) -> None:
        """As an HTTP server tells it: a message of its own, while the stream waits for events."""
        sent: list[dict[str, Any]] = []
        gone = asyncio.Event()

        async def send(message: Any) -> None:
            sent.append(message)
            gone.set()

        async def receive() -> dict[str, str]:
            await gone.wait()
            return {"type": "http.disconnect"}

        request = httpx.Request("GET", "http://gate.example/events")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/events",
            "raw_path": b"/events",
            "query_string": b"",
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 9997),
        }
        await asyncio.wait_for(house.app(scope, receive, send), 5)

        assert sent[0]["status"] == 200
        assert house.app.state.subscribers.open == 0


def test_a_heartbeat_comes_before_proxies_lose_patience() -> None:
    assert events.HEARTBEAT == 15
