"""The composition root: every part of a running headgate is built here."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib.metadata
import importlib.util
import logging
import os
import resource
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import uvicorn

from headgate.api.app import build, build_metrics
from headgate.api.http_connection import HttpConnection
from headgate.api.view import View
from headgate.core.auth import Access, Leases
from headgate.core.config import Configuration, ListenAddress
from headgate.core.errors import HeadgateError, ListenError
from headgate.core.events import Bus
from headgate.core.hooks.hooks import Hooks
from headgate.core.hooks.on_demand import OnDemandHooks
from headgate.core.hooks.runner import HookRunner
from headgate.core.log import LogWriter
from headgate.core.loop_watch import LoopWatch
from headgate.core.registry import Registry
from headgate.core.service import Endpoint
from headgate.core.webhooks.webhooks import Webhooks
from headgate.engine import EngineLoop
from headgate.media.path import Paths
from headgate.media.rtsp.pull import PullShared, pull_service
from headgate.media.rtsp.puller import RtspPuller
from headgate.media.rtsp.server import RtspServer
from headgate.media.source import MakePuller
from headgate.media.sources import Sources

__all__ = ["Server", "run"]

WORKERS = 8
"""At most; past it the kernel's own locks are the limit."""
HTTP_STOP_TIMEOUT = 1  # seconds; whole ones are what uvicorn takes
EXAMPLE_PATH = "cam"
PUBLISH = (
    "ffmpeg -re -f lavfi -i testsrc2=size=1280x720:rate=30"
    " -c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p -g 30 -f rtsp"
)

logger = logging.getLogger(__name__)


def run(configuration: Configuration) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit status. Raises ListenError, LogError."""
    _raise_file_limit()
    with (
        LogWriter.of(configuration) as log,
        asyncio.Runner(loop_factory=_loop_factory()) as runner,
    ):
        runner.run(_serve(configuration, hang_up=log.reopen))
    return 0


class Server:
    """A whole headgate inside the running event loop: enter it to start, leave it to stop.

    Entering raises ListenError when a port is taken, and then nothing was started.
    """

    def __init__(self, configuration: Configuration) -> None:
        settings = configuration.global_
        self.configuration = configuration
        self.started = datetime.now(UTC)
        self.bus = Bus()
        self.loop = EngineLoop(workers=min(len(os.sched_getaffinity(0)), WORKERS))
        self.registry = Registry(engine=self.loop.engine, bus=self.bus)
        self.paths = Paths(configuration=configuration, engine=self.loop.engine, registry=self.registry)
        self.access = Access(lambda: self.configuration.global_)
        self.leases = Leases(access=self.access, registry=self.registry)
        self.sources = Sources(configuration=configuration, paths=self.paths, pullers=self._pullers())
        self.watch = LoopWatch()
        self.runner = HookRunner()
        self.hooks = Hooks(
            bus=self.bus,
            registry=self.registry,
            configuration=lambda: self.configuration,
            runner=self.runner,
        )
        self.on_demand = OnDemandHooks(
            bus=self.bus,
            configuration=lambda: self.configuration,
            runner=self.runner,
            rtsp_port=self.hooks.rtsp_port,
            readers=lambda name: len(path.readers) if (path := self.paths.get(name)) else 0,
        )
        self.webhooks = Webhooks(bus=self.bus, webhooks=configuration.own.webhooks)
        self.rtsp = RtspServer(
            loop=self.loop,
            registry=self.registry,
            paths=self.paths,
            sources=self.sources,
            on_demand=self.on_demand,
            settings=settings,
            access=self.access,
            leases=self.leases,
        )
        self.view = View(
            access=self.access,
            registry=self.registry,
            bus=self.bus,
            engine=self.loop.engine,
            paths=self.paths,
            connections=self.rtsp.connections,
            configuration=lambda: self.configuration,
            started=self.started,
            version=importlib.metadata.version("headgate"),
            refusals=self.rtsp.refusals,
            join_times=self.rtsp.join_times,
            watch=self.watch,
            hooks=self.runner,
            webhooks=self.webhooks.senders,
            closures=self.rtsp.closures,
        )
        self.operator: Endpoint | None = None
        """Where the operator's listener is; None where it is off."""
        self.metrics: Endpoint | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        settings = self.configuration.global_
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.access)
            await stack.enter_async_context(self.loop)
            await stack.enter_async_context(self.watch)
            await stack.enter_async_context(self.webhooks)
            await stack.enter_async_context(self.runner)
            await stack.enter_async_context(self.rtsp)
            await stack.enter_async_context(self.sources)
            sites: list[tuple[socket.socket, Any]] = []
            if settings.api:
                listening = stack.enter_context(_listen("API", settings.api_address, key="apiAddress"))
                self.operator = _endpoint(listening)
                sites.append((listening, build(self.view)))
            if settings.metrics:
                listening = stack.enter_context(
                    _listen("metrics", settings.metrics_address, key="metricsAddress")
                )
                self.metrics = _endpoint(listening)
                sites.append((listening, build_metrics(self.view)))
            # Nothing can fail any more, so no ListenError is wrapped in an ExceptionGroup.
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            for listening, app in sites:
                await stack.enter_async_context(_serve_http(listening, app, tasks=tasks))
            self._stack = stack.pop_all()
        self.hooks.apply()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Sessions first, while those who watch over SSE can still be told.
        self.registry.drain()
        await self.rtsp.close()
        self.sources.close()
        self.on_demand.stop()
        self.hooks.stop()
        self.bus.close()
        # Not told of `error`: a TaskGroup would wrap it.
        await self._stack.__aexit__(None, None, None)

    def _pullers(self) -> dict[str, MakePuller]:
        """What fetches a path's source, by the scheme of its URL."""
        shared = PullShared(
            loop=self.loop,
            registry=self.registry,
            paths=self.paths,
            settings=lambda: self.configuration.global_,
            service=functools.partial(pull_service, self.registry),
        )
        return dict.fromkeys(("rtsp", "rtsps"), functools.partial(RtspPuller, shared=shared))

    async def drain(self) -> None:
        """Let nobody in any more, and give those who are here `drainTimeout` to end by themselves."""
        self.registry.drain()
        self.rtsp.close_listeners()
        timeout = self.configuration.own.drain_timeout
        sessions = len(self.registry.sessions())
        if not timeout or not sessions:
            return
        logger.info("stopping: %d sessions may go on for %g s", sessions, timeout)
        with self.bus.subscribe() as closed, contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self.registry.sessions():
                    await closed.batch()

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


async def _serve(configuration: Configuration, *, hang_up: Callable[[], None]) -> None:
    """`hang_up`: what SIGHUP asks for."""
    stop = asyncio.Event()

    def on_signal(number: int) -> None:
        if stop.is_set():
            server.runner.kill()
            os._exit(128 + number)  # asked twice: at once
        stop.set()

    async with Server(configuration) as server:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, hang_up)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, on_signal, number)
        print("\n".join(server.greeting()), flush=True)
        await stop.wait()
        await server.drain()


class _HttpServer(uvicorn.Server):
    """Signals are ours."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def _serve_http(listening: socket.socket, app: Any, *, tasks: asyncio.TaskGroup) -> AsyncIterator[None]:
    server = _HttpServer(
        uvicorn.Config(
            app,
            http=HttpConnection,
            ws="none",
            lifespan="off",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            log_config=None,
            timeout_graceful_shutdown=HTTP_STOP_TIMEOUT,
        )
    )
    task = tasks.create_task(server.serve(sockets=[listening]))
    try:
        yield
    finally:
        server.should_exit = True
        await asyncio.wait([task])


@contextlib.contextmanager
def _listen(service: str, address: str, *, key: str) -> Iterator[socket.socket]:
    """Raises ListenError."""
    where = ListenAddress.parse(address)
    family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
    everywhere = where.host == "::" and socket.has_dualstack_ipv6()
    try:
        if where.host == "::" and not everywhere:
            listening = socket.create_server(("0.0.0.0", where.port))  # noqa: S104 (as configured)
        else:
            listening = socket.create_server(
                (where.host, where.port), family=family, dualstack_ipv6=everywhere
            )
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else str(error)
        raise ListenError(f"{service}: cannot listen on {address} ({key}): {reason}") from None
    with listening:
        yield listening


def _endpoint(listening: socket.socket) -> Endpoint:
    host, port = listening.getsockname()[:2]
    return Endpoint(host, port)


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
