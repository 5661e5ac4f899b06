"""An HTTP listener of the configuration: on or off, at an address, and it follows both while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import uvicorn

from headgate.api.http_connection import HttpConnection
from headgate.core.config import GlobalConf, ListenAddress
from headgate.core.config.change import Change, Prepared
from headgate.core.errors import ListenError
from headgate.core.service import Endpoint

__all__ = ["Site"]

STOP_TIMEOUT = 1  # seconds for answers on their way; whole ones are what uvicorn takes


@dataclass(frozen=True, slots=True)
class Keys:
    """Where it is configured."""

    switch: str
    address: str

    def wanted(self, settings: GlobalConf) -> str | None:
        """The address to listen at; None where it is off."""
        names = GlobalConf.names()
        return getattr(settings, names[self.address]) if getattr(settings, names[self.switch]) else None


class Site:
    """`open`, then enter it: what can fail is over when the first task is there to be cancelled.

    A listener that moves answers what was asked at the old address first, for `STOP_TIMEOUT` at most.
    """

    def __init__(
        self, name: str, app: Callable[[], Any], *, switch: str, address: str, settings: GlobalConf
    ) -> None:
        self._name = name
        self._app = app
        self._keys = Keys(switch, address)
        self._settings = settings
        self._listening: socket.socket | None = None
        self._endpoint: Endpoint | None = None
        self._served: Served | None = None
        self._tasks: asyncio.TaskGroup | None = None

    @property
    def endpoint(self) -> Endpoint | None:
        """None where it is off; the last one, once all is over."""
        return self._endpoint

    def open(self) -> None:
        """Raises ListenError."""
        address = self._keys.wanted(self._settings)
        if address is not None:
            self._listening = self._listen(address)
            self._endpoint = _endpoint(self._listening)

    def close(self) -> None:
        """What `open` opened, where it was never served."""
        if self._listening is not None:
            self._listening.close()

    async def __aenter__(self) -> Self:
        self._tasks = asyncio.TaskGroup()
        await self._tasks.__aenter__()
        self._serve()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._retire()
        if self._tasks is not None:
            await self._tasks.__aexit__(None, None, None)
        self.close()

    # A new configuration

    async def prepare(self, change: Change) -> Prepared | None:
        new = self._keys.wanted(change.new.global_)
        if new == self._keys.wanted(change.old.global_):
            return None
        return NewAddress(self, None if new is None else self._listen_beside(new))

    def move(self, listening: socket.socket | None) -> None:
        """Serve there, and not where it was."""
        self._retire()
        self._listening = listening
        self._endpoint = None if listening is None else _endpoint(listening)
        self._serve()

    def _serve(self) -> None:
        if self._listening is not None and self._tasks is not None:
            self._served = Served(self._listening, self._app(), tasks=self._tasks)

    def _retire(self) -> None:
        served, self._served = self._served, None
        if served is not None:
            served.stop()

    def _listen_beside(self, address: str) -> socket.socket:
        """Where the old socket has the port already at an address that overlaps, the kernel lets both have it
        while both say SO_REUSEPORT; they say so only meanwhile, so that no other program joins by accident.
        """
        old = self._listening
        if old is None or ListenAddress.parse(address).port != old.getsockname()[1]:
            return self._listen(address)
        old.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            new = self._listen(address, shares_port=True)
            new.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 0)
        finally:
            old.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 0)
        return new

    def _listen(self, address: str, *, shares_port: bool = False) -> socket.socket:
        """Raises ListenError."""
        where = ListenAddress.parse(address)
        family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
        everywhere = where.host == "::" and socket.has_dualstack_ipv6()
        try:
            if where.host == "::" and not everywhere:
                everyone = ("0.0.0.0", where.port)  # noqa: S104 (as configured)
                listening = socket.create_server(everyone, reuse_port=shares_port)
            else:
                listening = socket.create_server(
                    (where.host, where.port),
                    family=family,
                    dualstack_ipv6=everywhere,
                    reuse_port=shares_port,
                )
            # Connections inherit it. asyncio does not set it on what others opened (uvloop does), and then
            # an answer's body waits 40 ms for its head to be acknowledged.
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            reason = os.strerror(error.errno).lower() if error.errno else str(error)
            key = self._keys.address
            raise ListenError(f"{self._name}: cannot listen on {address} ({key}): {reason}") from None
        return listening


def _endpoint(listening: socket.socket) -> Endpoint:
    host, port = listening.getsockname()[:2]
    return Endpoint(host, port)


@dataclass(frozen=True, slots=True)
class NewAddress:
    site: Site
    listening: socket.socket | None

    def commit(self) -> None:
        self.site.move(self.listening)

    async def rollback(self) -> None:
        if self.listening is not None:
            self.listening.close()


class Served:
    """One socket being served."""

    def __init__(self, listening: socket.socket, app: Any, *, tasks: asyncio.TaskGroup) -> None:
        self._listening = listening
        self._server = _HttpServer(
            uvicorn.Config(
                app,
                http=HttpConnection,
                ws="none",
                lifespan="off",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                log_config=None,
                timeout_graceful_shutdown=STOP_TIMEOUT,
            )
        )
        tasks.create_task(self._run())

    def stop(self) -> None:
        self._server.should_exit = True

    async def _run(self) -> None:
        with self._listening:
            await self._server.serve(sockets=[self._listening])


class _HttpServer(uvicorn.Server):
    """Signals are ours."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
