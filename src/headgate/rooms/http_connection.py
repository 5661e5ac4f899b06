"""One client's connection to the rooms' listener: HTTP, until it becomes a WebSocket."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

import h11
from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

from headgate.core.descriptors import are_spare
from headgate.rooms.facts import CERTIFICATE_NAME

__all__ = ["Door", "HttpConnection"]

HEAD_TIMEOUT = 10.0
"""Seconds in which a request's whole head must have come; the old server's."""
CONNECTION_LIMIT = 2048
"""At a time, besides those that are WebSockets. A page is a dozen requests over six connections."""


class Door(Protocol):
    """Where connections become WebSockets."""

    def admits(self, scope: Scope) -> bool:
        """Whether this request does. If it should and must not, the scope's state says why."""

    def take(self, transport: asyncio.Transport, scope: Scope, *, early: bytes) -> None:
        """The connection is the door's from now on. `early`: what was sent behind the request."""


class HttpConnection(H11Protocol):
    """As the operator's listener's: built on h11, whose heads are bounded."""

    def __init__(self, *given: Any, door: Door, **named: Any) -> None:
        super().__init__(*given, **named)
        self._door = door
        self._head_timer: asyncio.TimerHandle | None = None
        self._is_over = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as its parent does
        super().connection_made(transport)
        certificate = transport.get_extra_info("peercert")
        if certificate:
            self.app_state = {**self.app_state, CERTIFICATE_NAME: _common_name(certificate)}
        if len(self.connections) > CONNECTION_LIMIT or not are_spare():
            transport.abort()
        self._set_timer()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._is_over:
            self._set_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_timer()
        super().connection_lost(exc)

    def _should_upgrade(self) -> bool:
        return self._get_upgrade() == b"websocket" and self._door.admits(dict(self.scope))

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._is_over = True
        self._cancel_timer()
        self.connections.discard(self)
        self._door.take(self.transport, dict(self.scope), early=self.conn.trailing_data[0])

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


def _common_name(certificate: dict[str, Any]) -> str:
    """Of ssl's form of a verified certificate."""
    for names in certificate.get("subject", ()):
        for key, value in names:
            if key == "commonName":
                return str(value)
    return ""
