"""The rooms' public listener: HTTP and WebSockets on one socket."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from headgate.core.config.networks import ListenAddress
from headgate.core.config.rooms_conf import RoomsConf, UsersMode
from headgate.core.errors import ListenError
from headgate.core.service import Endpoint
from headgate.rooms.http_connection import Door, HttpConnection

__all__ = ["Listening", "Served"]

STOP_TIMEOUT = 1  # seconds for answers on their way; whole ones are what uvicorn takes
BACKLOG = 4096
"""Connections that wait: after a restart everybody comes back at once."""


@dataclass(frozen=True, slots=True)
class Listening:
    """A bound socket, and what is needed to serve it."""

    socket: socket.socket
    tls: ssl.SSLContext | None

    @classmethod
    def open(cls, settings: RoomsConf) -> Listening:
        """Raises ListenError."""
        tls = _tls(settings) if settings.encryption else None
        where = ListenAddress.parse(settings.address)
        family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
        everywhere = where.host == "::" and socket.has_dualstack_ipv6()
        host = "0.0.0.0" if where.host == "::" and not everywhere else where.host  # noqa: S104 (as configured)
        try:
            listening = socket.create_server(
                (host, where.port),
                family=family if host == where.host else socket.AF_INET,
                dualstack_ipv6=everywhere,
                backlog=BACKLOG,
            )
        except OSError as error:
            reason = os.strerror(error.errno).lower() if error.errno else str(error)
            raise ListenError(
                f"Rooms: cannot listen on {settings.address} (rooms.address): {reason}"
            ) from None
        return cls(listening, tls)

    @property
    def endpoint(self) -> Endpoint:
        host, port = self.socket.getsockname()[:2]
        return Endpoint(host, port)

    @property
    def transport(self) -> str:
        return "TLS" if self.tls is not None else "TCP"

    def close(self) -> None:
        self.socket.close()


class Served:
    """One socket being served, until `stop`."""

    def __init__(self, listening: Listening, app: ASGIApp, door: Door, *, tasks: asyncio.TaskGroup) -> None:
        self._listening = listening
        tls = listening.tls
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
                ssl_context_factory=None if tls is None else lambda _, __: tls,
            )
        )
        tasks.create_task(self._run())

    def stop(self) -> None:
        self._server.should_exit = True

    async def _run(self) -> None:
        with self._listening.socket:
            await self._server.serve(sockets=[self._listening.socket])


class _HttpServer(uvicorn.Server):
    """Signals are ours."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _tls(settings: RoomsConf) -> ssl.SSLContext:
    """Raises ListenError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.server_cert, settings.server_key)
        if settings.users.enabled and settings.users.mode is UsersMode.CERTIFICATE:
            if settings.users.certificate_certificate:
                context.load_verify_locations(settings.users.certificate_certificate)
            context.verify_mode = ssl.CERT_OPTIONAL
    except (OSError, ssl.SSLError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise ListenError(
            f"Rooms: the certificate cannot be used (rooms.serverCert, serverKey): {reason}"
        ) from None
    return context
