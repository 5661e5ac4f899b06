"""One client's HTTP connection to the operator's listener, held to bounds that uvicorn leaves open.

Give it to `uvicorn.Config(http=…)`. It is built on uvicorn's h11 protocol and not on the faster
httptools one, because that reads heads and pipelined requests without any limit.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["CONNECTION_LIMIT", "HEAD_TIMEOUT", "HttpConnection"]

HEAD_TIMEOUT = 10.0
"""Seconds in which a request's whole head must have come, from the connection's or its own first byte."""
CONNECTION_LIMIT = 512
"""At a time. Every connection is a descriptor, and those are wanted for sessions."""


class HttpConnection(H11Protocol):
    """Closes itself when no request comes, or none is ever complete; and at once when there are too many.

    The size of a head is bounded by h11 (16 KiB once more must come; a head that comes whole may be as
    large as one read), what is read ahead of an answer by its pausing.
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.access_log = False  # a request's query may have a token, and no logger's settings change that
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as its parent does
        super().connection_made(transport)
        if len(self.connections) > CONNECTION_LIMIT:
            transport.abort()
        self._set_timer()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._set_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_timer()
        super().connection_lost(exc)

    def _set_timer(self) -> None:
        """Run the clock while a head is on its way, and only then; more bytes do not set it back."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._cancel_timer()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT, self.transport.abort)

    def _cancel_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
