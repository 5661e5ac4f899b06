"""The rooms' public listener: HTTP and WebSockets on one socket."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from headgate.core.config.networks import ListenAddress
from headgate.core.errors import ListenError
from headgate.core.service import Endpoint
from headgate.rooms.encryption import Changing, Encryption
from headgate.rooms.http_connection import Door, HttpConnection

__all__ = ["Listening", "Served"]

STOP_TIMEOUT = 1  # seconds for answers on their way; whole ones are what uvicorn takes
BACKLOG = 4096
"""Connections that wait: after a restart everybody comes back at once."""


@dataclass(slots=True)
class Listening:
    """A bound socket, and what is needed to serve it."""

    address: str
    """As it is configured."""
    endpoint: Endpoint
    """Where it is bound, also when it is closed."""
    bound: socket.socket
    encryption: Encryption | None
    context: Changing | None
    """None where there is no TLS."""

    @classmethod
    def open(
        cls, address: str, encryption: Encryption | None, *, beside: Listening | None = None
    ) -> Listening:
        """`beside`: one of ours that may have the port, at an address that overlaps. Raises ListenError.

        The kernel lets both have it while both say SO_REUSEPORT; they say so only meanwhile, so that no other
        program joins by accident.
        """
        where = ListenAddress.parse(address)
        try:
            if beside is None or where.port != beside.endpoint.port:
                return cls._of(address, _bind(where), encryption)
            beside.bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            try:
                bound = _bind(where, shares_port=True)
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 0)
            finally:
                beside.bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 0)
        except OSError as error:
            reason = os.strerror(error.errno).lower() if error.errno else str(error)
            raise ListenError(f"Rooms: cannot listen on {address} (rooms.address): {reason}") from None
        return cls._of(address, bound, encryption)

    @classmethod
    def _of(cls, address: str, bound: socket.socket, encryption: Encryption | None) -> Listening:
        host, port = bound.getsockname()[:2]
        context = Changing.of(encryption) if encryption is not None else None
        return cls(address, Endpoint(host, port), bound, encryption, context)

    def under(self, encryption: Encryption | None) -> Listening:
        """The same queue of connections, for those who are still in it when this one is served no more."""
        return self._of(self.address, self.bound.dup(), encryption)

    def show(self, encryption: Encryption) -> None:
        """To those who connect from now on; where there is TLS already."""
        if self.context is not None:
            self.encryption, self.context.current = encryption, encryption.context

    @property
    def transport(self) -> str:
        return "TLS" if self.encryption is not None else "TCP"

    def close(self) -> None:
        self.bound.close()


class Served:
    """One socket being served, until `stop`."""

    def __init__(self, listening: Listening, app: ASGIApp, door: Door, *, tasks: asyncio.TaskGroup) -> None:
        self._listening = listening
        context = listening.context
        self._server = _HttpServer(
            uvicorn.Config(
                app,
                http=functools.partial(HttpConnection, door=door),  # type: ignore[arg-type] # only called
                ws="none",
                lifespan="off",
                interface="asgi3",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                log_config=None,
                backlog=BACKLOG,
                timeout_graceful_shutdown=STOP_TIMEOUT,
                ssl_context_factory=None if context is None else lambda _, __: context,
            )
        )
        tasks.create_task(self._run())

    def stop(self) -> None:
        """Nobody is taken any more; who was asked for an answer has it soon."""
        self._server.stop()

    async def _run(self) -> None:
        with self._listening.bound:
            await self._server.serve(sockets=[self._listening.bound])


class _HttpServer(uvicorn.Server):
    """Signals are ours."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        """Its loop looks ten times a second whether it should; nobody is let in until then."""
        self.should_exit = True
        for server in getattr(self, "servers", ()):
            server.close()


def _bind(where: ListenAddress, *, shares_port: bool = False) -> socket.socket:
    """Raises OSError."""
    everywhere = where.host == "::" and socket.has_dualstack_ipv6()
    host = "0.0.0.0" if where.host == "::" and not everywhere else where.host  # noqa: S104 (as configured)
    bound = socket.create_server(
        (host, where.port),
        family=socket.AF_INET6 if ":" in host else socket.AF_INET,
        dualstack_ipv6=everywhere,
        backlog=BACKLOG,
        reuse_port=shares_port,
    )
    # Connections inherit it. asyncio does not set it on what others opened (uvloop does), and then an
    # answer's body waits 40 ms for its head to be acknowledged.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return bound
