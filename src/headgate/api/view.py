"""What the operator's listener looks at: the core, and the media wing's shapes as this floor needs them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Protocol
from uuid import UUID

from fastapi import Depends
from starlette.requests import Request

from headgate.api.path_documents import PathDocuments
from headgate.core.auth import Access, Leases
from headgate.core.config import Configuration, ConfigurationStore
from headgate.core.events import Bus
from headgate.core.histogram import Histogram
from headgate.core.hooks.runner import HookRunner
from headgate.core.loop_watch import LoopWatch
from headgate.core.registry import Registry
from headgate.core.relay import Relay
from headgate.core.renewal import Renewal
from headgate.core.service import Endpoint
from headgate.core.service import Protocol as ServiceProtocol
from headgate.core.session import Session
from headgate.core.tunnel import Tunnel
from headgate.core.webhooks.sender import WebhookSender
from headgate.engine import Engine

__all__ = [
    "Connection",
    "Path",
    "Paths",
    "View",
    "Viewed",
]


class Path(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def conf_name(self) -> str: ...

    @property
    def source(self) -> Session | None:
        """The session that publishes to it."""

    @property
    def redirects(self) -> bool:
        """Nobody ever publishes to it: readers are sent elsewhere."""

    @property
    def ready_time(self) -> datetime | None:
        """Since when there is a stream; None while nobody publishes."""

    @property
    def tracks(self) -> Sequence[str]:
        """The label of each track: "H264", "MPEG-4 Audio"…"""

    @property
    def stream(self) -> int | None:
        """The engine's handle, whose counters are the path's."""

    @property
    def readers(self) -> Collection[Session]: ...


class Paths(Protocol):
    """Every path that exists now, by name."""

    def __iter__(self) -> Iterator[Path]: ...

    def get(self, name: str) -> Path | None: ...


class Connection(Protocol):
    """One client socket of a service."""

    @property
    def uuid(self) -> UUID: ...

    @property
    def created(self) -> datetime: ...

    @property
    def remote(self) -> Endpoint: ...

    @property
    def session(self) -> Session | None: ...

    @property
    def tunnel(self) -> Tunnel:
        """What carries it beside TCP and TLS."""

    @property
    def handle(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything a dialect may read. None of it is copied: a request sees the present state."""

    access: Access
    leases: Leases
    """Of answers that last."""
    registry: Registry
    bus: Bus
    engine: Engine
    paths: Paths
    connections: Mapping[ServiceProtocol, Mapping[UUID, Connection]]
    """Open connections, oldest first. A protocol that is off is not in the mapping."""
    refusals: Mapping[int, int] = field(default_factory=dict)
    """RTSP requests answered with an error since the start, by status."""
    join_times: Histogram | None = None
    """RTSP: seconds from a connection's first request to the answer of its first PLAY."""
    watch: LoopWatch | None = None
    hooks: HookRunner | None = None
    webhooks: Sequence[WebhookSender] = ()
    closures: Mapping[str, int] = field(default_factory=dict)
    """RTSP connections closed since the start, by reason."""
    renewals: Sequence[Renewal] = ()
    """Of every service's certificate; without one while it has no TLS."""
    relay: Relay | None = None
    configuration: Callable[[], Configuration]
    store: ConfigurationStore
    """Where it is changed."""
    started: datetime
    version: str
    path_documents: PathDocuments = field(default_factory=PathDocuments)


async def _viewed(request: Request) -> View:
    view: View = request.app.state.view
    return view


Viewed = Annotated[View, Depends(_viewed)]
"""A route's parameter of this type is the view that `app.build` was given."""
