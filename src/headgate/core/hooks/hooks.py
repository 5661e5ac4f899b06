"""When hooks run: what happens on the bus, and the commands that the configuration has for it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from headgate.core.config import Configuration, PathConf
from headgate.core.errors import NotFound
from headgate.core.events import (
    Bus,
    ConnectionClosed,
    ConnectionOpened,
    PathNotReady,
    PathReady,
    Published,
    SessionChanged,
    SessionClosed,
)
from headgate.core.hooks import variables
from headgate.core.hooks.runner import HookRunner, Job, Run
from headgate.core.registry import Registry
from headgate.core.service import Protocol
from headgate.core.session import Role, Session

__all__ = ["Hooks"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lasting:
    """What runs as long as something lasts, and what is run when it is over."""

    run: Run | None
    after: Job | None


class Hooks:
    """Listens to the bus and has a `HookRunner` run what is configured. `stop` ends what still lasts.

    A hook that began under one configuration ends as that one says, whatever was changed meanwhile.
    """

    def __init__(
        self, *, bus: Bus, registry: Registry, configuration: Callable[[], Configuration], runner: HookRunner
    ) -> None:
        self._registry = registry
        self._configuration = configuration
        self._runner = runner
        self._lasting: dict[tuple[str, str], Lasting] = {}
        """By what it is about: ("connection", its id), ("path", its name), ("reader", its session's id)."""
        self._initial: dict[str, tuple[PathConf, Run | None]] = {}
        bus.listen(
            self._hear,
            ConnectionOpened,
            ConnectionClosed,
            PathReady,
            PathNotReady,
            SessionChanged,
            SessionClosed,
        )

    def apply(self, *, changed: Collection[str] | None = None) -> None:
        """Run `runOnInit` of every path that has it. Call it when services listen, and again whenever the
        configuration is another: what it does not concern runs on.

        `changed`: the paths that can differ, where the caller knows.
        """
        paths = self._configuration().paths
        names = list({**paths, **self._initial}) if changed is None else changed
        wanted = {name: conf for name in names if (conf := paths.get(name)) and conf.run_on_init}
        for name, (conf, run) in [(name, self._initial[name]) for name in names if name in self._initial]:
            if name not in wanted or _initial(wanted[name]) != _initial(conf):
                del self._initial[name]
                if run is not None:
                    run.stop()
        for name, conf in wanted.items():
            if name not in self._initial:
                job = Job(
                    hook="runOnInit",
                    subject=f"path '{name}'",
                    command=conf.run_on_init,
                    variables=variables.of_path(name, groups=(), rtsp_port=self.rtsp_port()),
                    restart=conf.run_on_init_restart,
                )
                self._initial[name] = conf, self._runner.start(job)

    def stop(self) -> None:
        """End what lasts, once nobody is left to end it by leaving. What tells of an end may go on."""
        for key in list(self._lasting):
            self._end(*key)
        for _, run in self._initial.values():
            if run is not None:
                run.stop()
        self._initial.clear()

    def _hear(self, published: Published) -> None:
        # What happens most often comes first.
        match published.event:
            case SessionChanged(role=Role.READ, session=id):
                self._reads(id.uuid)
            case SessionChanged(session=id) | SessionClosed(session=id):
                if self._lasting:
                    self._end("reader", str(id.uuid))
            case ConnectionOpened(connection=id, kind=kind):
                self._connected(id, kind)
            case ConnectionClosed(connection=id):
                self._end("connection", id)
            case PathReady() as event:
                self._ready(event)
            case PathNotReady(path=name):
                self._end("path", name)

    def _connected(self, id: str, kind: str) -> None:
        settings = self._configuration().global_
        values = variables.of_connection(type=kind, id=id, rtsp_port=self.rtsp_port())
        self._begin(
            ("connection", id),
            during=("runOnConnect", settings.run_on_connect),
            after=("runOnDisconnect", settings.run_on_disconnect),
            restart=settings.run_on_connect_restart,
            values=values,
        )

    def _ready(self, event: PathReady) -> None:
        found = self._path(event.path)
        if found is None:
            return
        conf, values = found
        source = self._session(event.source_id)
        self._begin(
            ("path", event.path),
            during=("runOnReady", conf.run_on_ready),
            after=("runOnNotReady", conf.run_on_not_ready),
            restart=conf.run_on_ready_restart,
            values=values
            | variables.of_source(
                type=event.source_type, id=event.source_id, query=source.query if source else ""
            ),
        )

    def _reads(self, id: UUID) -> None:
        session = self._registry.by_uuid(id)
        found = self._path(session.target or "")
        if found is None or ("reader", str(id)) in self._lasting:
            return
        conf, values = found
        self._begin(
            ("reader", str(id)),
            during=("runOnRead", conf.run_on_read),
            after=("runOnUnread", conf.run_on_unread),
            restart=conf.run_on_read_restart,
            values=values
            | variables.of_reader(type=f"{session.service.protocol}Session", id=str(id), query=session.query),
        )

    def _begin(
        self,
        about: tuple[str, str],
        *,
        during: tuple[str, str],
        after: tuple[str, str],
        restart: bool,
        values: Mapping[str, str],
    ) -> None:
        """`during` and `after`: key and command; an empty command is none."""

        def job(hook: tuple[str, str], *, restart: bool = False) -> Job | None:
            key, command = hook
            subject = f"{about[0]} '{about[1]}'"
            if not command:
                return None
            return Job(hook=key, subject=subject, command=command, variables=values, restart=restart)

        first, last = job(during, restart=restart), job(after)
        if first is not None or last is not None:
            self._lasting[about] = Lasting(self._runner.start(first) if first else None, last)

    def _end(self, kind: str, id: str) -> None:
        lasting = self._lasting.pop((kind, id), None)
        if lasting is None:
            return
        if lasting.run is not None:
            lasting.run.stop()
        if lasting.after is not None:
            self._runner.start(lasting.after)

    def _path(self, name: str) -> tuple[PathConf, dict[str, str]] | None:
        """How a path is configured, and what every hook of it is told; None where it is not any more."""
        try:
            match = self._configuration().path_for(name)
        except NotFound:
            return None
        return match.conf, variables.of_path(name, groups=match.groups, rtsp_port=self.rtsp_port())

    def _session(self, id: str) -> Session | None:
        try:
            return self._registry.by_uuid(UUID(id))
        except (NotFound, ValueError):
            return None

    def rtsp_port(self) -> str:
        """Where a command reaches this server over RTSP, else RTSPS; "" where neither is served."""
        for protocol in (Protocol.RTSP, Protocol.RTSPS):
            for service in self._registry.services:
                if service.protocol is protocol and service.listeners:
                    return str(service.listeners[0].endpoint.port)
        return ""


def _initial(conf: PathConf) -> tuple[str, bool]:
    return conf.run_on_init, conf.run_on_init_restart
