"""The bus: order, memory, and subscribers who do not keep up."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from headgate.core.events import RING_CAPACITY, Bus, PathNotReady, Published, SessionOpened
from headgate.core.session import SessionId

NOON = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


def bus() -> Bus:
    return Bus(node="n1", now=lambda: NOON)


def test_events_are_numbered_and_replayed_from_any_of_them() -> None:
    events = bus()
    for name in "abc":
        events.publish(PathNotReady(path=name))
    assert [p.id for p in events.since(0)] == [1, 2, 3]
    assert [p.document()["path"] for p in events.since(1)] == ["b", "c"]
    assert events.since(3) == []


def test_the_ring_forgets_the_oldest() -> None:
    events = bus()
    for _ in range(RING_CAPACITY + 10):
        events.publish(PathNotReady(path="a"))
    assert len(events.since(0)) == RING_CAPACITY
    assert events.since(0)[0].id == 11


def test_a_document_prints_every_form_of_an_id() -> None:
    session = SessionId.make(7, "n1")
    published = bus().publish(SessionOpened(session=session, service="RTSP", remote="[::1]:5"))
    assert published.document() == {
        "type": "session.opened",
        "node": "n1",
        "at": "2026-11-20T12:00:00Z",
        "session": {"id": str(session.uuid), "number": 7, "code": session.code},
        "service": "RTSP",
        "remote": "[::1]:5",
    }


async def test_every_subscriber_gets_every_event_in_order() -> None:
    events = bus()
    with events.subscribe() as first, events.subscribe() as second:
        for name in "abc":
            events.publish(PathNotReady(path=name))
        for subscription in (first, second):
            seen = []
            async with asyncio.timeout(10):
                async for published in subscription:
                    seen.append(published.id)
                    if len(seen) == 3:
                        break
            assert seen == [1, 2, 3]


async def test_a_slow_subscriber_loses_the_oldest_and_is_told_how_many() -> None:
    events = bus()
    with events.subscribe(capacity=2) as slow:
        for name in "abcde":
            events.publish(PathNotReady(path=name))
        assert slow.missed == 3
        async with asyncio.timeout(10):
            first = await anext(aiter(slow))
        assert first.id == 4


def test_a_listener_hears_at_once_and_its_bugs_stay_its_own(caplog: pytest.LogCaptureFixture) -> None:
    events = bus()
    heard: list[int] = []

    def broken(_: Published) -> None:
        raise ZeroDivisionError

    events.listen(broken)
    events.listen(lambda published: heard.append(published.id))
    published = events.publish(PathNotReady(path="a"))
    assert heard == [published.id]
    assert caplog.messages == ["a bug of one who heard of path.notReady"]


def test_nothing_is_kept_for_a_subscriber_who_left() -> None:
    events = bus()
    with events.subscribe(capacity=1) as left:
        pass
    events.publish(PathNotReady(path="a"))
    events.publish(PathNotReady(path="b"))
    assert left.missed == 0


def test_a_listener_hears_the_kinds_that_it_asked_for() -> None:
    events, some, every = bus(), list[int](), list[int]()
    events.listen(lambda published: some.append(published.id), PathNotReady)
    session = SessionId.make(7, "n1")
    events.publish(SessionOpened(session=session, service="RTSP", remote="[::1]:5"))
    events.listen(lambda published: every.append(published.id))
    events.publish(PathNotReady(path="a"))
    events.publish(SessionOpened(session=session, service="RTSP", remote="[::1]:5"))
    assert (some, every) == ([2], [2, 3])
