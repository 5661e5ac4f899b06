"""What happened, on one bounded bus. SSE, hooks, metrics, logs and the dashboard subscribe."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ClassVar

from msgspec import Struct

from headgate.core.session import CloseReason, Role, SessionId, Totals
from headgate.core.timestamp import rfc3339, utc_now

__all__ = [
    "Bus",
    "CertificateRefused",
    "CertificateRenewed",
    "ConfigurationChanged",
    "ConfigurationRefused",
    "ConnectionClosed",
    "ConnectionOpened",
    "Event",
    "PathNotReady",
    "PathReady",
    "Published",
    "RelayAllocated",
    "RelayChannelBound",
    "RelayClosed",
    "RelayEvent",
    "RelayPeerDenied",
    "RelayPermitted",
    "RelayRefreshed",
    "ServiceMoved",
    "ServiceStarted",
    "ServiceStopped",
    "SessionChanged",
    "SessionClosed",
    "SessionOpened",
    "Subscription",
]

logger = logging.getLogger(__name__)

RING_CAPACITY = 4096  # a dashboard that was away for a minute at 60 changes a second


class Event(Struct, frozen=True, kw_only=True, gc=False):
    """Something that happened to the model. Subclasses are the vocabulary of `/events`."""

    TYPE: ClassVar[str] = ""


class ServiceStarted(Event, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "service.started"
    service: str
    addresses: tuple[str, ...]


class ConnectionOpened(Event, frozen=True, kw_only=True):
    """A client's socket, before it has asked for anything."""

    TYPE: ClassVar[str] = "connection.opened"
    connection: str
    """Its UUID in `/v3`."""
    kind: str
    """As MediaMTX calls it: "rtspConn", "rtspsConn"."""
    service: str
    remote: str


class ConnectionClosed(Event, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "connection.closed"
    connection: str
    kind: str
    service: str
    remote: str


class ServiceMoved(Event, frozen=True, kw_only=True):
    """It listens elsewhere now."""

    TYPE: ClassVar[str] = "service.moved"
    service: str
    addresses: tuple[str, ...]


class ServiceStopped(Event, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "service.stopped"
    service: str


class SessionOpened(Event, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "session.opened"
    session: SessionId
    service: str
    remote: str


class SessionChanged(Event, frozen=True, kw_only=True):
    """A session took up a role or left it: it publishes, reads, or pauses."""

    TYPE: ClassVar[str] = "session.changed"
    session: SessionId
    service: str
    role: Role
    target: str | None
    transport: str | None


class SessionClosed(Event, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "session.closed"
    session: SessionId
    service: str
    remote: str
    role: Role
    target: str | None
    reason: CloseReason
    duration_s: float
    totals: Totals


class PathReady(Event, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "path.ready"
    path: str
    source_type: str
    source_id: str
    tracks: tuple[str, ...]


class PathNotReady(Event, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "path.notReady"
    path: str


class ConfigurationChanged(Event, frozen=True, kw_only=True):
    """Names of keys only: values may be secrets."""

    TYPE: ClassVar[str] = "configuration.changed"
    cause: str
    """"api" or "file"."""
    keys: tuple[str, ...]
    """"readTimeout", "pathDefaults.maxReaders", "paths.cam1"; the first of them, where there are many."""
    key_count: int


class ConfigurationRefused(Event, frozen=True, kw_only=True):
    """The file was read again and has mistakes; the configuration is as it was."""

    TYPE: ClassVar[str] = "configuration.refused"
    mistakes: tuple[str, ...]


class CertificateRenewed(Event, frozen=True, kw_only=True):
    """Its files have changed, and connections that come after get the new one."""

    TYPE: ClassVar[str] = "certificate.renewed"
    service: str
    not_after: str
    """When it expires, in ISO 8601."""


class CertificateRefused(Event, frozen=True, kw_only=True):
    """Its files have changed and are not good; the service goes on with the certificate that it has."""

    TYPE: ClassVar[str] = "certificate.refused"
    service: str
    mistake: str


class RelayEvent(Event, frozen=True, kw_only=True):
    """Of an allocation of the TURN wing, in the words of seed 000."""

    session: SessionId
    service: str
    address: str
    """The client's, with its port."""
    interface: str
    """Ours, as clients outside know it."""
    transport: str
    username: str
    """As the client gave it."""


class RelayAllocated(RelayEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "relay.allocated"
    relayed: tuple[str, ...]
    port: int


class RelayChannelBound(RelayEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "relay.channelBound"
    channel: int
    peer: str


class RelayPermitted(RelayEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "relay.permitted"
    ports: tuple[int, ...]
    """Those of the peers that the request named."""
    peers: tuple[str, ...]


class RelayRefreshed(RelayEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "relay.refreshed"
    lifetime: int
    """Seconds from now; 0: the client has let it go, and `RelayClosed` came before."""


class RelayPeerDenied(RelayEvent, frozen=True, kw_only=True):
    """Once for each host and allocation, and of few hosts; the metrics count them all."""

    TYPE: ClassVar[str] = "relay.peerDenied"
    peer: str


class RelayClosed(RelayEvent, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "relay.closed"


class Published(Struct, frozen=True, gc=False):
    """An event with its place in the order of its node. `id` counts up from 1."""

    id: int
    node: str
    at: datetime
    event: Event

    def document(self) -> dict[str, Any]:
        """The event's fields as JSON types, for those who send it out."""
        return {"type": self.event.TYPE, "node": self.node, "at": rfc3339(self.at), **_plain(self.event)}


class Subscription:
    """One subscriber's bounded queue. A slow one loses the oldest events, and `missed` says how many."""

    def __init__(self, capacity: int) -> None:
        self._queue: deque[Published] = deque(maxlen=capacity)
        self._wake = asyncio.Event()
        self._closed = False
        self.missed = 0

    def __len__(self) -> int:
        """Events that wait."""
        return len(self._queue)

    def push(self, published: Published) -> None:
        if len(self._queue) == self._queue.maxlen:
            self.missed += 1
        self._queue.append(published)
        self._wake.set()

    def close(self) -> None:
        """Nothing comes any more: `batch` answers with what waits, then with nothing."""
        self._closed = True
        self._wake.set()

    async def batch(self) -> list[Published]:
        """Wait for events and take all of them; empty once closed. May be cancelled without losing one."""
        while not self._queue and not self._closed:
            self._wake.clear()
            await self._wake.wait()
        waiting = list(self._queue)
        self._queue.clear()
        return waiting

    async def __aiter__(self) -> AsyncIterator[Published]:
        while True:
            while self._queue:
                yield self._queue.popleft()
            if self._closed:
                return
            self._wake.clear()
            await self._wake.wait()


class Bus:
    """Publishes to every subscriber without ever waiting, and remembers the last `RING_CAPACITY` events."""

    def __init__(self, *, node: str = "", now: Callable[[], datetime] = utc_now) -> None:
        self._node = node
        self._now = now
        self._last_id = 0
        self._ring: deque[Published] = deque(maxlen=RING_CAPACITY)
        self._subscriptions: set[Subscription] = set()
        self._listeners: list[tuple[Callable[[Published], None], frozenset[type[Event]]]] = []
        self._concerned: dict[type[Event], list[Callable[[Published], None]]] = {}
        """Listeners by what they hear; filled as it is asked for."""
        self._missed = 0
        self._closed = False

    @property
    def last_id(self) -> int:
        return self._last_id

    @property
    def missed(self) -> int:
        """Events lost by slow subscribers so far, those of the past included."""
        return self._missed + sum(subscription.missed for subscription in self._subscriptions)

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """End every subscription after what it already holds. The server calls it last when it stops."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.close()

    def publish(self, event: Event) -> Published:
        self._last_id += 1
        published = Published(self._last_id, self._node, self._now(), event)
        self._ring.append(published)
        for subscription in self._subscriptions:
            subscription.push(published)
        concerned = self._concerned.get(type(event))
        for listener in self._hearing(type(event)) if concerned is None else concerned:
            try:
                listener(published)
            except Exception:
                # What happened has happened; a bug in one who watches does not undo it.
                logger.exception("a bug of one who heard of %s", event.TYPE)
        return published

    def listen(self, listener: Callable[[Published], None], *kinds: type[Event]) -> None:
        """Have every event of these kinds (none given: of all) from now on within the call that publishes it,
        while the model is as it says.

        For those who must not miss any. A listener must not wait, and changes nothing that is told of.
        """
        self._listeners.append((listener, frozenset(kinds)))
        self._concerned.clear()

    def _hearing(self, kind: type[Event]) -> list[Callable[[Published], None]]:
        concerned = [listener for listener, kinds in self._listeners if not kinds or kind in kinds]
        self._concerned[kind] = concerned
        return concerned

    def since(self, id: int) -> list[Published]:
        """The remembered events after `id`; fewer than asked for when the ring has forgotten some."""
        return [published for published in self._ring if published.id > id]

    @contextmanager
    def subscribe(self, *, capacity: int = 1024) -> Iterator[Subscription]:
        subscription = Subscription(capacity)
        if self._closed:
            subscription.close()
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
            self._missed += subscription.missed


def _plain(value: Any) -> Any:
    """JSON types of a Struct; identifiers print as `/v3` and `/v1` know them."""
    if isinstance(value, SessionId):
        return {"id": str(value.uuid), "number": value.number, "code": value.code}
    if isinstance(value, Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
