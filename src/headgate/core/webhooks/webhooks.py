"""Every event of the bus as signed HTTP requests, to whom the configuration names."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

from headgate.core.config import Webhook
from headgate.core.events import Bus, Published
from headgate.core.webhooks.sender import WebhookSender

if TYPE_CHECKING:
    import aiohttp

__all__ = ["Webhooks"]

logger = logging.getLogger(__name__)

FAREWELL_TIMEOUT = 3.0
"""Seconds for the last events, when the server stops."""


class Webhooks:
    """Enter it to send; leaving it sends what waits, as far as the time goes."""

    def __init__(
        self, *, bus: Bus, webhooks: Sequence[Webhook], farewell_timeout: float = FAREWELL_TIMEOUT
    ) -> None:
        self.senders = [WebhookSender(webhook) for webhook in webhooks]
        self._farewell_timeout = farewell_timeout
        self._tasks: list[asyncio.Task[None]] = []
        self._stack = AsyncExitStack()
        if self.senders:
            bus.listen(self._offer)

    async def __aenter__(self) -> Self:
        if self.senders:
            import aiohttp

            async with AsyncExitStack() as stack:
                # Nothing of the environment: no proxy and no .netrc that the configuration does not name.
                session = await stack.enter_async_context(
                    aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
                )
                group = await stack.enter_async_context(asyncio.TaskGroup())
                self._tasks = [group.create_task(_guarded(one, session)) for one in self.senders]
                self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for sender in self.senders:
            sender.close()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self._farewell_timeout)
            for task in late:
                task.cancel()
            if late:
                logger.warning("%d webhooks did not take the last events in time", len(late))
        await self._stack.__aexit__(None, None, None)

    def _offer(self, published: Published) -> None:
        for sender in self.senders:
            sender.offer(published)


async def _guarded(sender: WebhookSender, session: aiohttp.ClientSession) -> None:
    try:
        await sender.run(session)
    except Exception:
        logger.exception("a bug of webhook %s; it sends no more", sender.name)
