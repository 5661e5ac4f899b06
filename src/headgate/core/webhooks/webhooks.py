"""Every event of the bus as signed HTTP requests, to whom the configuration names."""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

from headgate.core.config import Webhook
from headgate.core.config.change import Change, Prepared
from headgate.core.events import Bus, Published
from headgate.core.webhooks.sender import WebhookSender

if TYPE_CHECKING:
    import aiohttp

__all__ = ["Webhooks"]

logger = logging.getLogger(__name__)

FAREWELL_TIMEOUT = 3.0
"""Seconds for the last events, when the server stops or the webhook is not configured any more."""


class Webhooks:
    """Enter it to send; leaving it sends what waits, as far as the time goes.

    It follows the configuration: a webhook that stays as it was goes on with what waits for it.
    """

    def __init__(
        self, *, bus: Bus, webhooks: Sequence[Webhook], farewell_timeout: float = FAREWELL_TIMEOUT
    ) -> None:
        self.senders = [WebhookSender(webhook) for webhook in webhooks]
        """In the order of the configuration; always this list."""
        self._farewell_timeout = farewell_timeout
        self._tasks: dict[WebhookSender, asyncio.Task[None]] = {}
        """With those that only send their last events."""
        self._group = asyncio.TaskGroup()
        self._session: aiohttp.ClientSession | None = None
        bus.listen(self._offer)

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        for sender in self.senders:
            self._start(sender)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for sender in self.senders:
            sender.close()
        if tasks := list(self._tasks.values()):
            _, late = await asyncio.wait(tasks, timeout=self._farewell_timeout)
            for task in late:
                task.cancel()
            if late:
                logger.warning("%d webhooks did not take the last events in time", len(late))
        await self._group.__aexit__(None, None, None)
        if self._session is not None:
            await self._session.close()

    # A new configuration

    async def prepare(self, change: Change) -> Prepared | None:
        if not change.concerns("webhooks"):
            return None
        if change.new.own.webhooks:
            await asyncio.to_thread(importlib.import_module, "aiohttp")  # long, for the first webhook
        return _NewWebhooks(self, change.new.own.webhooks)

    def go_over(self, webhooks: Sequence[Webhook]) -> None:
        """Send to these from now on."""
        before = list(self.senders)
        self.senders.clear()
        for webhook in webhooks:
            known = next((sender for sender in before if sender.webhook == webhook), None)
            if known is None:
                self.senders.append(sender := WebhookSender(webhook))
                self._start(sender)
            else:
                before.remove(known)
                self.senders.append(known)
        for sender in before:
            self._dismiss(sender)

    def _start(self, sender: WebhookSender) -> None:
        if self._session is None:
            import aiohttp

            # Nothing of the environment: no proxy and no .netrc that the configuration does not name.
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
        task = self._group.create_task(_guarded(sender, self._session))
        self._tasks[sender] = task
        task.add_done_callback(lambda _: self._tasks.pop(sender))

    def _dismiss(self, sender: WebhookSender) -> None:
        sender.close()
        if (task := self._tasks.get(sender)) is not None:
            asyncio.get_running_loop().call_later(self._farewell_timeout, _give_up, sender, task)

    def _offer(self, published: Published) -> None:
        for sender in self.senders:
            sender.offer(published)


async def _guarded(sender: WebhookSender, session: aiohttp.ClientSession) -> None:
    try:
        await sender.run(session)
    except Exception:
        logger.exception("a bug of webhook %s; it sends no more", sender.name)


def _give_up(sender: WebhookSender, task: asyncio.Task[None]) -> None:
    if not task.done():
        task.cancel()
        logger.warning("webhook %s, which is gone, did not take its last events in time", sender.name)


@dataclass(frozen=True, slots=True)
class _NewWebhooks:
    owner: Webhooks
    webhooks: Sequence[Webhook]

    def commit(self) -> None:
        self.owner.go_over(self.webhooks)

    async def rollback(self) -> None:
        pass
