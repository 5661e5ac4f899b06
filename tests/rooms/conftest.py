"""A rooms wing in the test's own event loop, on a port of the system's choice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest

from headgate.core.config.rooms_conf import RoomsConf
from headgate.core.events import Bus
from headgate.core.registry import Registry
from headgate.core.relay_credentials import MintRelayCredential
from headgate.engine import EngineLoop
from headgate.rooms.server import RoomsServer
from tests.rooms.caller import Caller

Open = Callable[..., AbstractAsyncContextManager["Wing"]]


class Wing:
    """The server, and who talks to it."""

    def __init__(self, server: RoomsServer, registry: Registry, stack: AsyncExitStack) -> None:
        self.server = server
        self.registry = registry
        self._stack = stack
        assert server.endpoint is not None
        self.address = f"127.0.0.1:{server.endpoint.port}"
        base = server.hub.settings.base_path
        self.ws = f"ws://{self.address}{base}ws"
        self.http = httpx.AsyncClient(base_url=f"http://{self.address}", timeout=10.0, trust_env=False)

    async def caller(self, **options: Any) -> Caller:
        """Connected until the test ends, or it closes."""
        return await self._stack.enter_async_context(Caller.connect(self.ws, **options))

    async def callers(self, count: int) -> list[Caller]:
        return [await self.caller() for _ in range(count)]


@asynccontextmanager
async def opened(*, mint: MintRelayCredential | None = None, **settings: Any) -> AsyncIterator[Wing]:
    conf = RoomsConf.model_validate({"address": "127.0.0.1:0", **settings})
    async with EngineLoop(workers=1) as loop:
        registry = Registry(engine=loop.engine, bus=Bus())
        server = RoomsServer(registry=registry, settings=conf, state=None, version="1.2.3", mint=mint)
        server.open()
        async with server, AsyncExitStack() as stack:
            wing = Wing(server, registry, stack)
            stack.push_async_callback(wing.http.aclose)
            yield wing


@pytest.fixture
def open_rooms() -> Open:
    """With some configuration, by key; enter it."""
    return opened


@pytest.fixture
async def wing() -> AsyncIterator[Wing]:
    async with opened() as wing:
        yield wing
