"""Events arrive signed, in their order, and neither too often nor at anybody else's."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import hmac
import logging
import time
from collections.abc import Callable, Sequence

import aiohttp
import pytest

from headgate.core.config import Configuration, Webhook
from headgate.core.config.change import Change
from headgate.core.config.choices import EventType
from headgate.core.events import Bus, PathNotReady, PathReady
from headgate.core.webhooks.sender import ATTEMPTS, QUEUE_LIMIT, WebhookSender
from headgate.core.webhooks.signature import HEADER, sign
from headgate.core.webhooks.webhooks import Webhooks
from tests.core.webhooks.receiver import PATIENCE, Receiver

SECRET = "a secret of sixteen or more"


def webhook(receiver: Receiver, *events: EventType) -> Webhook:
    return Webhook(url=receiver.url, secret=SECRET, events=events)


class Pauses:
    """Pauses that take no time, noted."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0)


async def send(sender: WebhookSender, *events: PathNotReady) -> None:
    bus = Bus()
    for event in events:
        sender.offer(bus.publish(event))
    sender.close()
    async with aiohttp.ClientSession() as session:
        await sender.run(session)


async def test_an_event_comes_signed() -> None:
    bus = Bus()
    async with Receiver.open() as receiver, Webhooks(bus=bus, webhooks=[webhook(receiver)]) as webhooks:
        published = bus.publish(PathNotReady(path="cam"))
        (request,) = await receiver.has(1)
        assert request.document == {"id": published.id, **published.document()}
        assert request.headers["Content-Type"] == "application/json"
        at, _, digest = request.headers["Headgate-Signature"].removeprefix("t=").partition(",v1=")
        assert abs(int(at) - time.time()) < PATIENCE
        signed = at.encode() + b"." + request.body
        assert digest == hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        await until(lambda: webhooks.senders[0].sent)


async def test_each_gets_what_it_asked_for() -> None:
    bus = Bus()
    async with Receiver.open() as all_, Receiver.open() as some:
        async with Webhooks(bus=bus, webhooks=[webhook(all_), webhook(some, EventType.PATH_READY)]):
            bus.publish(PathNotReady(path="a"))
            bus.publish(PathReady(path="b", source_type="", source_id="", tracks=()))
        assert [request.document["path"] for request in all_.requests] == ["a", "b"]
        assert [request.document["path"] for request in some.requests] == ["b"]


async def test_what_is_not_taken_is_sent_again_and_before_the_next(caplog: pytest.LogCaptureFixture) -> None:
    pauses = Pauses()
    async with Receiver.open(500, 429, 503) as receiver:
        sender = WebhookSender(webhook(receiver), sleep=pauses)
        await send(sender, PathNotReady(path="a"), PathNotReady(path="b"))
        assert [request.document["path"] for request in receiver.requests] == ["a", "a", "a", "a", "b"]
    assert (sender.sent, sender.retried, sender.failed) == (2, 3, 0)
    for asked, most in zip(pauses.asked, (1, 2, 4), strict=True):
        assert most / 2 <= asked <= most
    assert caplog.messages == []


@pytest.mark.parametrize("status", [400, 404, 301, 307])
async def test_a_refusal_is_final(status: int, caplog: pytest.LogCaptureFixture) -> None:
    async with Receiver.open(status) as receiver:
        sender = WebhookSender(webhook(receiver), sleep=Pauses())
        await send(sender, PathNotReady(path="a"), PathNotReady(path="b"))
        assert [request.document["path"] for request in receiver.requests] == ["a", "b"]
    assert (sender.sent, sender.retried, sender.failed) == (1, 0, 1)
    assert f"answered {status}; the event is given up" in caplog.messages[0]


async def test_it_is_given_up_some_time_and_its_address_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with Receiver.open() as receiver:
        pass  # nobody listens there any more
    sender = WebhookSender(webhook(receiver), sleep=Pauses())
    await send(sender, PathNotReady(path="a"))
    assert (sender.sent, sender.retried, sender.failed) == (0, ATTEMPTS - 1, 1)
    assert len(caplog.messages) == ATTEMPTS
    assert not any("hidden" in message or SECRET in message for message in caplog.messages)
    assert "hidden" not in sender.name


async def test_what_waits_is_bounded_and_what_is_dropped_is_counted() -> None:
    async with Receiver.open() as receiver:
        sender = WebhookSender(webhook(receiver))
        bus = Bus()
        for number in range(QUEUE_LIMIT + 5):
            sender.offer(bus.publish(PathNotReady(path=str(number))))
        assert (sender.queued, sender.dropped) == (QUEUE_LIMIT, 5)


async def test_one_that_does_not_answer_holds_nobody_back() -> None:
    bus = Bus()
    began = asyncio.get_running_loop().time()
    async with Receiver.open() as silent, Receiver.open() as other:
        silent.silent.set()
        hooks = [webhook(silent), webhook(other)]
        async with Webhooks(bus=bus, webhooks=hooks, farewell_timeout=0.1) as webhooks:
            for name in "abc":
                bus.publish(PathNotReady(path=name))
            await silent.has(1)
            await other.has(3)
        assert asyncio.get_running_loop().time() - began < 5
        assert webhooks.senders[1].sent == 3


async def test_no_webhooks_make_no_client() -> None:
    async with Webhooks(bus=Bus(), webhooks=[]) as webhooks:
        assert webhooks._session is None


def told(*webhooks: Webhook, before: Sequence[Webhook] = ()) -> Change:
    default = Configuration.default()
    old, new = (
        dataclasses.replace(default, own=default.own.model_copy(update={"webhooks": tuple(one)}))
        for one in (before, webhooks)
    )
    return Change.between(old, new)


async def go_over(webhooks: Webhooks, change: Change) -> None:
    prepared = await webhooks.prepare(change)
    assert prepared is not None
    prepared.commit()


async def test_they_follow_the_configuration() -> None:
    bus = Bus()
    async with Receiver.open() as first, Receiver.open() as second:
        one, other = webhook(first), webhook(second)
        async with Webhooks(bus=bus, webhooks=[]) as webhooks:
            shown = webhooks.senders
            bus.publish(PathNotReady(path="nobody's"))
            await go_over(webhooks, told(one))
            bus.publish(PathNotReady(path="a"))
            await first.has(1)
            stays = webhooks.senders[0]
            await go_over(webhooks, told(other, one, before=[one]))
            assert webhooks.senders[1] is stays
            bus.publish(PathNotReady(path="b"))
            await second.has(1)
            await first.has(2)
            await go_over(webhooks, told(other, before=[other, one]))
            bus.publish(PathNotReady(path="c"))
            await second.has(2)
            assert webhooks.senders is shown, "/metrics looks at it"
    assert [request.document["path"] for request in first.requests] == ["a", "b"]
    assert [request.document["path"] for request in second.requests] == ["b", "c"]


async def test_one_that_goes_is_told_what_waits_for_it() -> None:
    bus = Bus()
    async with Receiver.open(503) as receiver:
        one = webhook(receiver)
        async with Webhooks(bus=bus, webhooks=[one]) as webhooks:
            (sender,) = webhooks.senders
            sender._sleep = Pauses()
            for name in "abc":
                bus.publish(PathNotReady(path=name))
            await go_over(webhooks, told(before=[one]))
            bus.publish(PathNotReady(path="d"))
            await until(lambda: not webhooks._tasks)
    assert [request.document["path"] for request in receiver.requests] == ["a", "a", "b", "c"]


async def test_one_that_goes_and_does_not_answer_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    bus = Bus()
    async with Receiver.open() as receiver:
        receiver.silent.set()
        one = webhook(receiver)
        async with Webhooks(bus=bus, webhooks=[one], farewell_timeout=0.05) as webhooks:
            bus.publish(PathNotReady(path="a"))
            await receiver.has(1)
            await go_over(webhooks, told(before=[one]))
            await until(lambda: not webhooks._tasks)
    assert "which is gone, did not take its last events in time" in caplog.messages[0]


async def test_a_secret_that_changes_is_another_webhook() -> None:
    bus = Bus()
    async with Receiver.open() as receiver:
        before = webhook(receiver)
        after = Webhook(url=receiver.url, secret="another of sixteen or more", events=())
        async with Webhooks(bus=bus, webhooks=[before]) as webhooks:
            bus.publish(PathNotReady(path="a"))
            await receiver.has(1)
            await go_over(webhooks, told(after, before=[before]))
            bus.publish(PathNotReady(path="b"))
            old, new = await receiver.has(2)
    for request, secret in ((old, SECRET), (new, "another of sixteen or more")):
        at = int(request.headers[HEADER].removeprefix("t=").partition(",")[0])
        assert request.headers[HEADER] == sign(request.body, secret=secret, at=at)
