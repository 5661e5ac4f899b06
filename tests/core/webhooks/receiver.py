"""Somebody who gets webhooks: a real HTTP server in the test's loop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

__all__ = ["Receiver", "Request"]

PATIENCE = 10.0  # seconds; only a failing test waits so long


@dataclass(frozen=True)
class Request:
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.body)
        return document


class Receiver:
    """Answers with `statuses` in their order, then with 200."""

    def __init__(self, *statuses: int) -> None:
        self.url = ""
        self.requests: list[Request] = []
        self.statuses = list(statuses)
        self.silent = asyncio.Event()
        """While it is set requests are not answered."""
        self._heard = asyncio.Condition()
        self._over = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def open(cls, *statuses: int) -> AsyncIterator[Receiver]:
        receiver = cls(*statuses)
        app = web.Application()
        app.router.add_post("/{anything:.*}", receiver._answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            receiver.url = f"http://{host}:{port}/hook?key=hidden"
            yield receiver
        finally:
            receiver._over.set()
            await runner.cleanup()

    async def has(self, count: int) -> list[Request]:
        """Wait until there were so many requests."""
        async with asyncio.timeout(PATIENCE), self._heard:
            await self._heard.wait_for(lambda: len(self.requests) >= count)
        return self.requests

    async def _answer(self, request: web.Request) -> web.Response:
        self.requests.append(Request(dict(request.headers), await request.read()))
        async with self._heard:
            self._heard.notify_all()
        if self.silent.is_set():
            await self._over.wait()
        status = self.statuses.pop(0) if self.statuses else 200
        headers = {"location": self.url} if 300 <= status < 400 else None
        return web.Response(status=status, headers=headers)
