"""The engine's events in asyncio's loop."""

from __future__ import annotations

import asyncio
import logging
from types import TracebackType
from typing import Self

from headgate._engine import Accepted, Closed, Engine, PeerConnected, StunReceived
from headgate.engine.events import Event, Handler

__all__ = ["EngineLoop"]

logger = logging.getLogger(__name__)


class EngineLoop:
    """Owns an `Engine` and hands its events to whoever owns the handle they name.

    Enter it inside a running asyncio loop; leaving it closes everything. Handlers
    run on the loop and must not block. A handler that raises loses its own handle,
    which is closed, and nothing else.
    """

    BATCH = 256
    """Events taken a wake-up, so that a flood of them leaves the loop room for other work."""

    def __init__(self, *, workers: int, event_capacity: int = 8192) -> None:
        self.engine = Engine(workers=workers, event_capacity=event_capacity)
        self._handlers: dict[int, Handler] = {}

    async def __aenter__(self) -> Self:
        asyncio.get_running_loop().add_reader(self.engine.fileno(), self._drain)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.get_running_loop().remove_reader(self.engine.fileno())
        self.engine.shutdown()

    def attach(self, handle: int, handler: Handler) -> None:
        """Give `handler` the events of a listener, connection or flow, until its `Closed`."""
        self._handlers[handle] = handler

    def detach(self, handle: int) -> None:
        """Forget a listener's handler; connections and flows are forgotten at their `Closed`."""
        self._handlers.pop(handle, None)

    def _drain(self) -> None:
        left = self.BATCH
        # What comes meanwhile is taken too: another turn of the loop would cost more than to ask.
        while left > 0 and (events := self.engine.drain(left)):
            left -= len(events)
            for event in events:
                self._dispatch(event)
                if isinstance(event, Closed):
                    # Only now: its handler has read the final totals.
                    self.engine.forget(event.handle)

    def _dispatch(self, event: Event) -> None:
        match event:
            case Accepted():
                handle, orphan = event.listener, event.connection
                handler = self._handlers.get(handle)
            case Closed():
                handle = orphan = event.handle
                handler = self._handlers.pop(handle, None)
            case StunReceived():
                handle, orphan = event.five_tuple.listener, event.five_tuple.connection
                handler = self._handlers.get(handle)
            case PeerConnected():
                handle, orphan = event.allocation, event.connection
                handler = self._handlers.get(handle)
            case _:
                handle = orphan = event.connection
                handler = self._handlers.get(handle)
        if handler is None:
            # A connection accepted just before its listener was closed, or an event that
            # crossed with our own close: nobody will ever answer it.
            self.engine.close(orphan)
            return
        try:
            handler(event)
        except Exception:
            logger.exception("a bug while handling %s of handle %d; closing it", type(event).__name__, handle)
            self.engine.close(orphan)
