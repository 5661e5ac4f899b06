"""A small house without a media wing: real core and engine, and what a test puts there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
from fastapi import FastAPI

from headgate.api.app import build
from headgate.api.view import View
from headgate.core.auth import Access, Leases
from headgate.core.config import (
    Applications,
    Configuration,
    ConfigurationStore,
    GlobalConf,
    PathConf,
    Startup,
    Webhook,
)
from headgate.core.events import Bus
from headgate.core.histogram import Histogram
from headgate.core.hooks.runner import HookRunner
from headgate.core.loop_watch import LoopWatch
from headgate.core.registry import Registry
from headgate.core.renewal import Renewal
from headgate.core.service import Endpoint, Protocol, Service
from headgate.core.session import CloseReason, Role, Session
from headgate.core.tunnel import Tunnel
from headgate.core.webhooks.sender import WebhookSender
from headgate.engine import Engine

__all__ = ["House", "Path", "Paths", "Visitor"]

JOIN_TIMES = (0.001, 0.0025, 0.25)
LONG_AGO = datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=UTC)


class Visitor(Session):
    """A session that notes why it ended."""

    def __init__(self, *, handles: Sequence[int] = (), **given: Any) -> None:
        super().__init__(**given)
        self.handles = handles
        self.ends: list[CloseReason] = []

    @property
    def flows(self) -> Sequence[int]:
        return self.handles

    def end(self, reason: CloseReason) -> None:
        self.ends.append(reason)


@dataclass
class Path:
    name: str
    conf_name: str = "all_others"
    source: Session | None = None
    redirects: bool = False
    ready_time: datetime | None = None
    tracks: Sequence[str] = ()
    stream: int | None = None
    readers: list[Session] = field(default_factory=list)


class Paths:
    def __init__(self) -> None:
        self.by_name: dict[str, Path] = {}

    def __iter__(self) -> Iterator[Path]:
        return iter(sorted(self.by_name.values(), key=lambda path: path.name))

    def get(self, name: str) -> Path | None:
        return self.by_name.get(name)


@dataclass
class Connection:
    handle: int
    remote: Endpoint
    session: Session | None = None
    tunnel: Tunnel = Tunnel.NONE
    uuid: UUID = field(default_factory=uuid4)
    created: datetime = LONG_AGO


class House:
    """What `server.py` would build, with the operator's listener at `app`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.bus = Bus()
        self.registry = Registry(engine=engine, bus=self.bus)
        self.paths = Paths()
        self.rtsp_connections: dict[UUID, Connection] = {}
        self.configuration = Configuration.default()
        self.service = self.add_service("RTSP", Protocol.RTSP)
        self.access = Access(lambda: self.configuration.global_)
        self.view = View(
            access=self.access,
            leases=Leases(access=self.access, registry=self.registry),
            registry=self.registry,
            bus=self.bus,
            engine=engine,
            paths=self.paths,
            connections={Protocol.RTSP: self.rtsp_connections},
            refusals={404: 3, 400: 2},
            join_times=Histogram(JOIN_TIMES),
            watch=LoopWatch(),
            hooks=HookRunner(),
            webhooks=[WebhookSender(Webhook(url="https://example.org/", secret="sixteen characters"))],
            closures={"peer": 7},
            renewals=(Renewal(bus=self.bus, take=lambda _: None),),
            configuration=lambda: self.configuration,
            store=ConfigurationStore(Startup.of(self.configuration), bus=self.bus),
            started=LONG_AGO,
            version="1.2.3",
        )
        self.app: FastAPI = build(self.view)

    def add_service(self, name: str, protocol: Protocol, *, port: int = 8554) -> Service:
        service = Service(name=name, protocol=protocol, router="paths", started=LONG_AGO)
        self.registry.add_service(service, [(Endpoint("::", port), "TCP")])
        return service

    def configure(
        self,
        *,
        paths: Iterable[str] = (),
        access_token: str = "",
        allow_origin: str = "*",
    ) -> None:
        self.configuration = replace(
            self.configuration,
            global_=GlobalConf(api_allow_origin=allow_origin),
            paths={name: PathConf(name=name) for name in paths},
            applications=Applications(access_token=access_token),
        )

    def visit(
        self,
        target: str | None = None,
        *,
        role: Role = Role.IDLE,
        handles: Sequence[int] = (),
        service: Service | None = None,
    ) -> Visitor:
        """Open a session; with a target it also takes up its role."""
        visitor = self.registry.open(
            lambda identity, created: Visitor(
                id=identity,
                service=service or self.service,
                remote=Endpoint("192.0.2.7", 50198),
                local=Endpoint("192.0.2.1", 8554),
                created=created,
                handles=handles,
            )
        )
        if target is not None:
            visitor.target, visitor.role, visitor.transport = target, role, "TCP"
            visitor.user_agent, visitor.query = "tester/1.0", "a=b"
            self.registry.changed(visitor)
        return visitor

    def add_path(self, name: str, **given: Any) -> Path:
        path = self.paths.by_name[name] = Path(name, **given)
        return path

    def client(self) -> AbstractAsyncContextManager[httpx.AsyncClient]:
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://192.0.2.1:9997", trust_env=False
        )
