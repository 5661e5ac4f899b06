"""One webhook: its events in their order, each sent until it is taken or given up."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic_core import to_json

from headgate.core.config import Webhook
from headgate.core.events import Published, Subscription
from headgate.core.webhooks.signature import HEADER, sign

if TYPE_CHECKING:
    import aiohttp  # 10 MB and 0.4 s, for those only who have webhooks

__all__ = ["WebhookSender"]

logger = logging.getLogger(__name__)

QUEUE_LIMIT = 1024
"""Events that may wait; when there are more the oldest are dropped."""
TIMEOUT = 10.0  # seconds, from connecting to the answer
ATTEMPTS = 6
"""Over half a minute or so: an update of the receiver may take that long."""
FIRST_PAUSE = 1.0  # seconds; the next one is twice as long
WORTH_ANOTHER = frozenset({408, 425, 429})
"""Statuses below 500 that say "later" and not "never"."""


class WebhookSender:
    """`offer` events, have `run` send them, `close` to have it end after what waits."""

    def __init__(
        self,
        webhook: Webhook,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        parts = urlsplit(webhook.url)
        self.name = f"{parts.scheme}://{parts.netloc}"
        """Without the path and query of its URL, which are as good as a password with some receivers."""
        self.webhook = webhook
        self._events = frozenset(webhook.events)
        self._queue = Subscription(QUEUE_LIMIT)
        self._sleep = sleep
        self._now = now
        self.sent = 0
        self.failed = 0
        """Given up: refused for good, or not taken after every attempt."""
        self.retried = 0

    @property
    def dropped(self) -> int:
        """Never tried, because too many waited."""
        return self._queue.missed

    @property
    def queued(self) -> int:
        return len(self._queue)

    def offer(self, published: Published) -> None:
        if not self._events or published.event.TYPE in self._events:
            self._queue.push(published)

    def close(self) -> None:
        self._queue.close()

    async def run(self, session: aiohttp.ClientSession) -> None:
        async for published in self._queue:
            body = to_json({"id": published.id, **published.document()})
            if await self._deliver(session, body):
                self.sent += 1
            else:
                self.failed += 1

    async def _deliver(self, session: aiohttp.ClientSession, body: bytes) -> bool:
        pause = FIRST_PAUSE
        for attempt in range(1, ATTEMPTS + 1):
            outcome, worth_another = await self._post(session, body)
            if outcome is None:
                return True
            last = attempt == ATTEMPTS or not worth_another
            logger.log(
                logging.WARNING if last else logging.INFO,
                "webhook %s: %s%s",
                self.name,
                outcome,
                "; the event is given up" if last else "",
            )
            if last:
                return False
            self.retried += 1
            # Half of it at random: receivers that come back are not met by everybody at once.
            await self._sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            pause *= 2
        return False

    async def _post(self, session: aiohttp.ClientSession, body: bytes) -> tuple[str | None, bool]:
        """One attempt: None, or why it failed and whether another is worth it."""
        import aiohttp

        at = int(self._now())
        headers = {
            "content-type": "application/json",
            HEADER: sign(body, secret=self.webhook.secret.get_secret_value(), at=at),
        }
        try:
            # A redirection is not followed: the address is the operator's choice and nobody else's.
            async with session.post(
                self.webhook.url,
                data=body,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=TIMEOUT),
                allow_redirects=False,
            ) as answer:
                status = answer.status
        except TimeoutError:
            return "no answer in time", True
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # Its text would have the whole address.
            return f"no connection ({type(error).__name__})", True
        if 200 <= status < 300:
            return None, False
        return f"answered {status}", status >= 500 or status in WORTH_ANOTHER
