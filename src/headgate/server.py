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
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from headgate.api.app import build, build_metrics
from headgate.api.site import Site
from headgate.api.view import View
from headgate.core.auth import Access, Leases
from headgate.core.config import Configuration, ConfigurationStore, Startup
from headgate.core.config.change import Change
from headgate.core.config.file_watch import watch_file
from headgate.core.config.follower import Follower
from headgate.core.errors import HeadgateError
from headgate.core.events import Bus
from headgate.core.garbage import collect_seldom
from headgate.core.hooks.hooks import Hooks
from headgate.core.hooks.on_demand import OnDemandHooks
from headgate.core.hooks.runner import HookRunner
from headgate.core.log import LEVELS, LogWriter
from headgate.core.loop_watch import LoopWatch
from headgate.core.registry import Registry
from headgate.core.service import Endpoint, Protocol
from headgate.core.session import Session
from headgate.core.webhooks.webhooks import Webhooks
from headgate.engine import EngineLoop
from headgate.media.path import Paths
from headgate.media.rtsp.pull import PullShared, pull_service
from headgate.media.rtsp.puller import RtspPuller
from headgate.media.rtsp.server import RtspServer
from headgate.media.source import MakePuller
from headgate.media.source_address import SourceAddresses
from headgate.media.sources import Sources
from headgate.rooms.server import RoomsServer
from headgate.turn.overview import Overview
from headgate.turn.server import TurnServer

__all__ = ["Server", "run"]

WORKERS = 8
"""At most; past it the kernel's own locks are the limit."""
EXAMPLE_PATH = "cam"
PUBLISH = (
    "ffmpeg -re -f lavfi -i testsrc2=size=1280x720:rate=30"
    " -c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p -g 30 -f rtsp"
)

logger = logging.getLogger(__name__)


def run(startup: Startup) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit status. Raises ListenError, LogError."""
    _raise_file_limit()
    collect_seldom()
    with (
        LogWriter.of(startup.layers.configuration) as log,
        asyncio.Runner(loop_factory=_loop_factory()) as runner,
    ):
        runner.run(_serve(startup, log=log))
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
        self.turn = TurnServer(
            loop=self.loop,
            registry=self.registry,
            settings=configuration.own.turn,
            state=startup.state.path.parent if startup.state else None,
            operators=self._operators,
        )
        self.rooms = RoomsServer(
            registry=self.registry,
            settings=configuration.own.rooms,
            state=startup.state.path.parent if startup.state else None,
            version=importlib.metadata.version("headgate"),
            mint=self.turn.mint,
        )
        self.view = View(
            access=self.access,
            leases=self.leases,
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
            join_times=self.rtsp.join_times,
            watch=self.watch,
            hooks=self.runner,
            webhooks=self.webhooks.senders,
            closures=self.rtsp.closures,
            rooms=self.rooms.directory,
            renewals=lambda: (self.rtsp.renewal, self.rooms.renewal, *self.turn.renewals.present),
            relay=Overview(self.turn, registry=self.registry),
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
        # What can fail to be opened first; paths late, because they let go of sessions, and those
        # who look at paths after them.
        for applier in (
            self._operator,
            self._metrics,
            self.rtsp,
            self.rooms,
            self.webhooks,
            self.turn,
            Follower(_set_log_level, lambda change: change.concerns("logLevel")),
            Follower(self.paths.follow, lambda change: bool(change.paths or change.global_keys)),
            Follower(lambda change: self.sources.apply(change.new, changed=change.paths)),
            Follower(lambda _: self.on_demand.apply()),
            Follower(lambda change: self.hooks.apply(changed=change.paths)),
            Follower(self._recheck, lambda change: any(key.startswith("auth") for key in change.global_keys)),
        ):
            self.store.register(applier)
        self._stack = AsyncExitStack()
        self._tasks: asyncio.TaskGroup | None = None
        self._rechecking: asyncio.Task[None] | None = None

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

    def _operators(self) -> list[Endpoint]:
        return [one for one in (self.operator, self.metrics) if one is not None]

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.access)
            await stack.enter_async_context(self.loop)
            await stack.enter_async_context(self.watch)
            await stack.enter_async_context(self.webhooks)
            await stack.enter_async_context(self.runner)
            await stack.enter_async_context(self.rtsp)
            await stack.enter_async_context(self.turn)
            await stack.enter_async_context(self.sources)
            for site in (self._operator, self._metrics):
                site.open()
                stack.callback(site.close)
            self.rooms.open()
            stack.callback(self.rooms.abandon)
            # Nothing can fail any more, so no ListenError is wrapped in an ExceptionGroup.
            self._tasks = await stack.enter_async_context(asyncio.TaskGroup())
            for site in (self._operator, self._metrics):
                await stack.enter_async_context(site)
            await stack.enter_async_context(self.rooms)
            if self._file is not None:
                watching = self._tasks.create_task(watch_file(self._file, self.store.reload))
                stack.callback(watching.cancel)
            self._stack = stack.pop_all()
        self.hooks.apply()
        return self

    def reload(self) -> None:
        """Read the configuration file again, soon, and the certificate's: SIGHUP."""
        if self._tasks is not None:
            self._tasks.create_task(self.store.reload())
            self._tasks.create_task(self.rtsp.renewal.look())
            self._tasks.create_task(self.turn.renewals.look())
            self._tasks.create_task(self.rooms.renewal.look())

    def _recheck(self, _: Change) -> None:
        """Access has changed: whoever is here may have lost it."""
        if self._rechecking is not None:
            self._rechecking.cancel()
        if self._tasks is not None:
            self._rechecking = self._tasks.create_task(self.leases.recheck())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tasks = None  # nothing is read or judged again
        if self._rechecking is not None:
            self._rechecking.cancel()
        await self.store.close()
        # Sessions first, while those who watch over SSE can still be told.
        self.registry.drain()
        await self.rtsp.close()
        self.rooms.close()
        self.turn.close()
        self.sources.close()
        self.paths.close()
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
            addresses=SourceAddresses(
                allowed=lambda: self.configuration.own.source_networks,
                operators=self._operators,
            ),
        )
        return dict.fromkeys(("rtsp", "rtsps"), functools.partial(RtspPuller, shared=shared))

    async def drain(self) -> None:
        """Let nobody in any more, and give those who are here `drainTimeout` to end by themselves."""
        self.registry.drain()
        self.rtsp.close_listeners()
        self.turn.drain()
        timeout = self.configuration.own.drain_timeout
        sessions = len(self._clients())
        if not timeout or not sessions:
            return
        logger.info("stopping: %d sessions may go on for %g s", sessions, timeout)
        with self.bus.subscribe() as closed, contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self._clients():
                    await closed.batch()

    def _clients(self) -> list[Session]:
        """Who is let in. A source that we fetch has no lease, and would never leave by itself."""
        return [session for session in self.registry.sessions() if session.lease is not None]

    def greeting(self) -> Iterator[str]:
        """What to tell whoever started it: what listens where, and what to do with it."""
        yield f"headgate {self.view.version}"
        for service in self.registry.services:
            if not service.listeners:
                continue
            listeners = ", ".join(f"{one.endpoint} {one.transport}" for one in service.listeners)
            yield f"  {service.name + ':':<10}{listeners}"
        if self.operator is not None:
            yield f"  {'operator:':<10}http://{_reachable(self.operator)} (start at /docs)"
        if self.metrics is not None:
            yield f"  {'metrics:':<10}http://{_reachable(self.metrics)}/metrics"
        if self.rooms.url is not None:
            yield f"meet:     {self.rooms.url}"
        yield from self.turn.greeting()
        listening = (
            one
            for one in self.registry.services
            if one.listeners and one.protocol not in {Protocol.TURN, Protocol.ROOMS}
        )
        path, media = self._example_path(), next(listening, None)
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


async def _serve(startup: Startup, *, log: LogWriter) -> None:
    stop = asyncio.Event()

    def on_signal(number: int) -> None:
        if stop.is_set():
            server.runner.kill()
            os._exit(128 + number)  # asked twice: at once
        stop.set()

    def hang_up() -> None:
        log.reopen()
        server.reload()

    async with Server(startup) as server:
        server.store.register(log)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, on_signal, number)
        loop.add_signal_handler(signal.SIGHUP, hang_up)
        print("\n".join(server.greeting()), flush=True)
        await stop.wait()
        await server.drain()


def _set_log_level(change: Change) -> None:
    logging.getLogger().setLevel(LEVELS[change.new.global_.log_level])


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
