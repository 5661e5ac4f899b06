"""Paths: the names under which streams are published and read, and who does which."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from headgate.core.config import Configuration, GlobalConf, PathConf
from headgate.core.config.change import Change
from headgate.core.config.choices import Encryption, RtspTransport
from headgate.core.config.path_conf import PUBLISHER, REDIRECT
from headgate.core.config.path_names import is_plain
from headgate.core.errors import NotFound, Refused
from headgate.core.events import PathNotReady, PathReady
from headgate.core.registry import Registry
from headgate.core.session import CloseReason, Session
from headgate.engine import Engine, OpenStream, Stream
from headgate.media.path_change import concerns_media
from headgate.media.track import Track

__all__ = ["Path", "Paths", "Publication", "Redirect", "payload_size"]

SRTP_GROWTH = 10
"""Bytes that encryption adds to a packet: the tag of AES_CM_128_HMAC_SHA1_80, which readers get."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """Another place to read."""

    location: str
    """A URL, or a path of this server as /name."""
    permanent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What a path has while somebody publishes to it."""

    source: Session | None
    """None while the path waits for its publisher to come back (`publisherGracePeriod`)."""
    stream: Stream
    """The engine's handle; its counters are the path's."""
    tracks: tuple[Track, ...]
    """In the order of the stream's tracks in the engine."""
    description: bytes
    """SDP for readers, in the publisher's words."""
    ready_time: datetime


@dataclass(slots=True, kw_only=True, eq=False)
class Path:
    """One name. `Paths` alone changes it; everybody else reads."""

    name: str
    conf_name: str
    conf: PathConf
    publication: Publication | None = None
    _grace: asyncio.TimerHandle | None = None
    _left: float = 0.0
    """When the publisher that is waited for left, by the loop's clock."""
    _readers: dict[Session, None] = field(default_factory=dict)

    @property
    def source(self) -> Session | None:
        return self.publication.source if self.publication else None

    @property
    def redirects(self) -> bool:
        """Readers are sent elsewhere, always."""
        return self.conf.source == REDIRECT

    @property
    def ready_time(self) -> datetime | None:
        return self.publication.ready_time if self.publication else None

    @property
    def tracks(self) -> Sequence[str]:
        """The label of every format of every track."""
        tracks = self.publication.tracks if self.publication else ()
        return [label for track in tracks for label in track.labels]

    @property
    def stream(self) -> Stream | None:
        return self.publication.stream if self.publication else None

    @property
    def readers(self) -> Collection[Session]:
        """Oldest first."""
        return self._readers.keys()


class Paths:
    """Owns every path. One with a name of its own in the configuration is here from the start; one that
    a regular expression matched is here while somebody publishes to it.
    """

    def __init__(self, *, configuration: Configuration, engine: Engine, registry: Registry) -> None:
        self._configuration = configuration
        self._engine = engine
        self._registry = registry
        self._paths: dict[str, Path] = {}
        self.on_readers_changed: Callable[[Path], None] = lambda _: None
        """Told of every reader that comes and goes."""
        for conf_name in configuration.paths:
            if is_plain(conf_name):
                self._enter(conf_name)

    def __iter__(self) -> Iterator[Path]:
        """By name."""
        return iter(sorted(self._paths.values(), key=operator.attrgetter("name")))

    def __len__(self) -> int:
        return len(self._paths)

    def get(self, name: str) -> Path | None:
        return self._paths.get(name)

    # Publishing

    def check_publish(self, name: str) -> None:
        """Raises NotFound or Refused if nobody could publish to this path now."""
        match = self._configuration.path_for(name)
        if match.conf.source != PUBLISHER:
            raise Refused(f"can't publish to path '{name}' since 'source' is not 'publisher'")
        path = self._paths.get(name)
        if path is not None and path.source is not None and not match.conf.override_publisher:
            raise Refused(f"someone is already publishing to path '{name}'")

    def publish(
        self, session: Session, *, name: str, tracks: Sequence[Track], description: bytes
    ) -> tuple[Path, Publication]:
        """Give the path to a session, and take it from another where the configuration lets it.

        Ends the other session. Its readers stay, and go on at the next key frame, if the tracks are
        the same; else they end as well. The session must be attached to the stream by its
        owner next, and must call `unpublish` when it ends. Raises NotFound, Refused, and
        ValueError when the engine cannot carry such tracks.
        """
        self.check_publish(name)
        return self.feed(session, name=name, tracks=tracks, description=description)

    def feed(
        self, session: Session, *, name: str, tracks: Sequence[Track], description: bytes
    ) -> tuple[Path, Publication]:
        """As `publish`, for the source that the path is configured to have. Raises as that."""
        present = self._paths.get(name)
        before = present.publication if present is not None else None
        if present is not None and before is not None and before.tracks == tuple(tracks):
            return present, self._hand_over(present, before, to=session, description=description)
        stream = Stream(
            self._engine.open_stream(
                OpenStream(
                    tracks=[track.engine_track for track in tracks],
                    payload_size=payload_size(self._configuration.global_),
                )
            )
        )
        if present is not None:
            if present.source is not None:
                self._registry.close(present.source, CloseReason.OVERRIDDEN)
            self._give_up(present)
        path = self._paths.get(name) or self._enter(name)
        path.publication = publication = Publication(
            source=session,
            stream=stream,
            tracks=tuple(tracks),
            description=description,
            ready_time=datetime.now(UTC),
        )
        self._registry.bus.publish(
            PathReady(
                path=name,
                source_type=session.kind,
                source_id=str(session.id.uuid),
                tracks=tuple(path.tracks),
            )
        )
        return path, publication

    def _hand_over(self, path: Path, before: Publication, *, to: Session, description: bytes) -> Publication:
        """Another feeds the stream now; who reads it notices nothing."""
        if path._grace is not None:
            path._grace.cancel()
            path._grace = None
        path.publication = after = replace(before, source=to, description=description)
        if before.source is not None:
            # It finds the path to be another's, and leaves it alone.
            self._registry.close(before.source, CloseReason.OVERRIDDEN)
        return after

    def unpublish(self, path: Path, *, session: Session) -> None:
        """The publisher stopped: its readers end, at once or when it has not come back in time.

        Does nothing when the path is another's by now.
        """
        publication = path.publication
        if publication is None or publication.source is not session:
            return
        grace = path.conf.publisher_grace_period
        if grace > 0 and session.close_reason is not CloseReason.SHUTDOWN:
            path.publication = replace(publication, source=None)
            path._left = asyncio.get_running_loop().time()
            self._wait(path)
        else:
            self._give_up(path)

    def _wait(self, path: Path) -> None:
        """As long as the path's configuration says, from when its publisher left."""
        if path._grace is not None:
            path._grace.cancel()
        until = path._left + path.conf.publisher_grace_period
        path._grace = asyncio.get_running_loop().call_at(until, self._give_up, path)

    def close(self) -> None:
        """The server stops: publishers that are waited for will not be let in any more."""
        for path in list(self._paths.values()):
            if path.publication is not None and path.source is None:
                self._give_up(path)

    def _give_up(self, path: Path) -> None:
        """The path has no stream any more."""
        publication, path.publication = path.publication, None
        if path._grace is not None:
            path._grace.cancel()
            path._grace = None
        if publication is None:
            return
        for reader in list(path.readers):
            self._registry.close(reader, CloseReason.PUBLISHER_GONE)
        self._engine.close(publication.stream)
        if not is_plain(path.conf_name):
            self._paths.pop(path.name, None)
        self._registry.bus.publish(PathNotReady(path=path.name))

    # Reading

    def elsewhere(self, name: str) -> Redirect | None:
        """Where readers of a path are sent instead, if they are. Raises NotFound."""
        conf = self._configuration.path_for(name).conf
        path = self._paths.get(name)
        if conf.source == REDIRECT:
            return Redirect(location=conf.source_redirect, permanent=True)
        if conf.fallback and not conf.source_on_demand and (path is None or path.publication is None):
            return Redirect(location=conf.fallback, permanent=False)
        return None

    def ready(self, name: str) -> tuple[Path, Publication]:
        """A path that somebody publishes to. Raises NotFound."""
        self._configuration.path_for(name)
        path = self._paths.get(name)
        if path is None or path.publication is None:
            raise NotFound(f"no one is publishing to path '{name}'")
        return path, path.publication

    def check_read(self, path: Path) -> None:
        """Raises Refused if the path takes no more readers."""
        if 0 < path.conf.max_readers <= len(path.readers):
            raise Refused(f"maximum reader count reached on path '{path.name}'")

    def read(self, session: Session, *, path: Path) -> None:
        """Enter a reader, which must call `leave` when it ends. Raises as `check_read`."""
        self.check_read(path)
        path._readers[session] = None
        self.on_readers_changed(path)

    def leave(self, path: Path, *, session: Session) -> None:
        if session in path._readers:
            del path._readers[session]
            self.on_readers_changed(path)

    # A new configuration

    def follow(self, change: Change) -> None:
        """Go over to the new configuration. A path that is not configured any more, or so that its media
        cannot go on, ends with everybody on it; nobody else notices.
        """
        self._configuration = change.new
        for path in self._concerned(change.paths):
            self._follow(path)
        for conf_name in change.paths:
            if is_plain(conf_name) and conf_name in change.new.paths and conf_name not in self._paths:
                self._enter(conf_name)

    def _concerned(self, conf_names: Collection[str]) -> list[Path]:
        if all(is_plain(name) for name in conf_names):
            return [self._paths[name] for name in conf_names if name in self._paths]
        return list(self._paths.values())

    def _follow(self, path: Path) -> None:
        try:
            match = self._configuration.path_for(path.name)
        except NotFound:
            match = None
        if match is not None and not concerns_media(path.conf, match.conf):
            path.conf_name, path.conf = match.conf_name, match.conf
            if path._grace is not None:
                self._wait(path)
        else:
            for session in [*path.readers, *([path.source] if path.source else [])]:
                self._registry.close(session, CloseReason.RECONFIGURED)
            # Also what `publisherGracePeriod` would keep: who comes back is not who it waits for.
            self._give_up(path)
            if match is not None:
                path.conf_name, path.conf = match.conf_name, match.conf
        gone = match is None or not is_plain(match.conf_name)
        if gone and path.publication is None:
            self._paths.pop(path.name, None)

    def _enter(self, name: str) -> Path:
        match = self._configuration.path_for(name)
        path = self._paths[name] = Path(name=name, conf_name=match.conf_name, conf=match.conf)
        return path


def payload_size(settings: GlobalConf) -> int:
    """Of a stream's packets, in bytes: what is left of a datagram where some readers may get SRTP."""
    encrypted = (
        settings.rtsp_encryption is not Encryption.NO and RtspTransport.UDP in settings.rtsp_transports
    )
    return settings.udp_max_payload_size - (SRTP_GROWTH if encrypted else 0)
