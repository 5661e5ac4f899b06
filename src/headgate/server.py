"""The composition root: every part of a running headgate is built here."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import importlib.util
import logging
import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from headgate.api.app import build, build_metrics
from headgate.api.site import Site
from headgate.api.view import View
from headgate.core.config import Configuration, ConfigurationStore, Startup
from headgate.core.config.change import Change, Prepared
from headgate.core.config.choices import LogLevel
from headgate.core.config.file_watch import watch_file
from headgate.core.errors import HeadgateError
from headgate.core.events import Bus
from headgate.core.log import LogWriter
from headgate.core.registry import Registry
from headgate.core.service import Endpoint
from headgate.engine import EngineLoop
from headgate.media.path import Paths
from headgate.media.rtsp.server import RtspServer

__all__ = ["Server", "run"]

WORKERS = 8
"""At most; past it the kernel's own locks are the limit."""
EXAMPLE_PATH = "cam"
PUBLISH = (
    "ffmpeg -re -f lavfi -i testsrc2=size=1280x720:rate=30"
    " -c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p -g 30 -f rtsp"
)
LEVELS = {
    LogLevel.ERROR: logging.ERROR,
    LogLevel.WARN: logging.WARNING,
    LogLevel.INFO: logging.INFO,
    LogLevel.DEBUG: logging.DEBUG,
}


def run(startup: Startup) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit status. Raises ListenError."""
    _raise_file_limit()
    with (
        LogWriter(level=LEVELS[startup.layers.configuration.global_.log_level]),
        asyncio.Runner(loop_factory=_loop_factory()) as runner,
    ):
        runner.run(_serve(startup))
    return 0


class Server:
    """A whole headgate inside the running event loop: enter it to start, leave it to stop.

    Entering raises ListenError when a port is taken, and then nothing was started.
    """

    def __init__(self, start: Configuration | Startup) -> None:
        startup = Startup.of(start) if isinstance(start, Configuration) else start
        configuration = startup.layers.configuration
        settings = configuration.global_
        self.started = datetime.now(UTC)
        self.bus = Bus()
        self.store = ConfigurationStore(startup, bus=self.bus)
        self._file = startup.file
        self.loop = EngineLoop(workers=min(len(os.sched_getaffinity(0)), WORKERS))
        self.registry = Registry(engine=self.loop.engine, bus=self.bus)
        self.paths = Paths(configuration=configuration, engine=self.loop.engine, registry=self.registry)
        self.rtsp = RtspServer(loop=self.loop, registry=self.registry, paths=self.paths, settings=settings)
        self.view = View(
            registry=self.registry,
            bus=self.bus,
            engine=self.loop.engine,
            paths=self.paths,
            connections=self.rtsp.connections,
            configuration=lambda: self.store.configuration,
            store=self.store,
            started=self.started,
            version=importlib.metadata.version("headgate"),
            refusals=self.rtsp.refusals,
            closures=self.rtsp.closures,
        )
        self._operator = Site(
            "API", lambda: build(self.view), switch="api", address="apiAddress", settings=settings
        )
        self._metrics = Site(
            "metrics",
            lambda: build_metrics(self.view),
            switch="metrics",
            address="metricsAddress",
            settings=settings,
        )
        # What can fail to be opened first; paths last, because they let go of sessions.
        for applier in (self._operator, self._metrics, self.rtsp, _LogLevel(), self.paths):
            self.store.register(applier)
        self._stack = AsyncExitStack()
        self._tasks: asyncio.TaskGroup | None = None

    @property
    def configuration(self) -> Configuration:
        return self.store.configuration

    @property
    def operator(self) -> Endpoint | None:
        """Where the operator's listener is; None where it is off."""
        return self._operator.endpoint

    @property
    def metrics(self) -> Endpoint | None:
        return self._metrics.endpoint

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.loop)
            await stack.enter_async_context(self.rtsp)
            for site in (self._operator, self._metrics):
                site.open()
                stack.callback(site.close)
            # Nothing can fail any more, so no ListenError is wrapped in an ExceptionGroup.
            self._tasks = await stack.enter_async_context(asyncio.TaskGroup())
            for site in (self._operator, self._metrics):
                await stack.enter_async_context(site)
            if self._file is not None:
                watching = self._tasks.create_task(watch_file(self._file, self.store.reload))
                stack.callback(watching.cancel)
            self._stack = stack.pop_all()
        return self

    def reload(self) -> None:
        """Read the configuration file again, soon: SIGHUP."""
        if self._tasks is not None:
            self._tasks.create_task(self.store.reload())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.store.close()
        # Sessions first, while those who watch over SSE can still be told.
        await self.rtsp.close()
        self.bus.close()
        # Not told of `error`: a TaskGroup would wrap it.
        await self._stack.__aexit__(None, None, None)

    def greeting(self) -> Iterator[str]:
        """What to tell whoever started it: what listens where, and what to do with it."""
        yield f"headgate {self.view.version}"
        for service in self.registry.services:
            listeners = ", ".join(f"{one.endpoint} {one.transport}" for one in service.listeners)
            yield f"  {service.name + ':':<10}{listeners}"
        if self.operator is not None:
            yield f"  {'operator:':<10}http://{_reachable(self.operator)} (start at /docs)"
        if self.metrics is not None:
            yield f"  {'metrics:':<10}http://{_reachable(self.metrics)}/metrics"
        path, media = self._example_path(), next(iter(self.registry.services), None)
        if path is not None and media is not None:
            url = f"{media.protocol}://{_reachable(media.listeners[0].endpoint)}/{path}"
            yield f"publish:  {PUBLISH} {url}"
            yield f"read:     ffplay {url}"

    def _example_path(self) -> str | None:
        """A path that clients may publish to."""
        for name in (EXAMPLE_PATH, *(path.name for path in self.paths)):
            with contextlib.suppress(HeadgateError):
                self.paths.check_publish(name)
                return name
        return None


async def _serve(startup: Startup) -> None:
    stop = asyncio.Event()

    def on_signal(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)  # asked twice: at once
        stop.set()

    async with Server(startup) as server:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, on_signal, number)
        loop.add_signal_handler(signal.SIGHUP, server.reload)
        print("\n".join(server.greeting()), flush=True)
        await stop.wait()


class _LogLevel:
    """Follows `logLevel`."""

    async def prepare(self, change: Change) -> Prepared | None:
        return _NewLogLevel(LEVELS[change.new.global_.log_level]) if change.concerns("logLevel") else None


@dataclass(frozen=True, slots=True)
class _NewLogLevel:
    level: int

    def commit(self) -> None:
        logging.getLogger().setLevel(self.level)

    async def rollback(self) -> None:
        pass


def _reachable(endpoint: Endpoint) -> Endpoint:
    """An address to connect to from this machine."""
    everywhere = endpoint.host in {"::", "0.0.0.0"}  # noqa: S104
    return Endpoint("127.0.0.1", endpoint.port) if everywhere else endpoint


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, where it is installed: it is not to be had for every platform."""
    if importlib.util.find_spec("uvloop") is None:
        return None
    import uvloop

    return uvloop.new_event_loop


def _raise_file_limit() -> None:
    """Every session is a descriptor, and the usual soft limit is 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
