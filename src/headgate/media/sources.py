"""Every static source: which are fetched now, and which are to be."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from types import TracebackType
from typing import Self
from urllib.parse import quote

from headgate.core.config import Configuration, PathConf
from headgate.core.config.configuration import PathMatch
from headgate.core.config.path_conf import PUBLISHER, REDIRECT
from headgate.core.config.path_names import is_plain
from headgate.core.errors import NotFound, Refused
from headgate.core.session import CloseReason
from headgate.media.backoff import Backoff
from headgate.media.path import Path, Paths
from headgate.media.path_change import concerns_media
from headgate.media.source import MakePuller, Source, SourceState

__all__ = ["Sources"]

ON_DEMAND_LIMIT = 1000
"""Sources that clients can have fetched at once, where one expression matches many names."""
VARIABLE = re.compile(r"\$(?:G(\d{1,2})|(MTX_QUERY))")
QUERY_SAFE = "=&%+-._~:?,;!$'()*"


class Sources:
    """Enter it to fetch what is always wanted; leaving it ends every source (`SHUTDOWN`)."""

    def __init__(
        self,
        *,
        configuration: Configuration,
        paths: Paths,
        pullers: Mapping[str, MakePuller],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._configuration = configuration
        self._paths = paths
        self._pullers = pullers
        """By the scheme of the source's URL; what has none here is not fetched."""
        self._sleep = sleep
        self._sources: dict[str, Source] = {}
        self._tasks = asyncio.TaskGroup()
        self._open = False

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._open = True
        self._paths.on_readers_changed = self._readers_changed
        self.apply(self._configuration)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        await self._tasks.__aexit__(None, None, None)

    def close(self) -> None:
        """Leave every source; once is enough."""
        self._open = False
        for source in list(self._sources.values()):
            source.stop(CloseReason.SHUTDOWN)

    def apply(self, configuration: Configuration, *, changed: Collection[str] | None = None) -> None:
        """Fetch what this configuration wants and leave what it does not; the rest goes on untouched.

        `changed`: the configuration names that can differ, where the caller knows.
        """
        self._configuration = configuration
        names = {*configuration.paths, *self._sources} if changed is None else changed
        for source in self._concerned(names):
            conf = self._wanted(source.name)
            if conf is None or concerns_media(source.conf, conf):
                source.stop(CloseReason.RECONFIGURED)
            else:
                source.conf = conf
        for name in names:
            conf = configuration.paths.get(name)
            if conf is None:
                continue
            # A path of an expression can only be fetched on demand: nobody knows its names.
            if not conf.source_on_demand and name not in self._sources and self._is_pull(conf):
                self._start(name, PathMatch(name, conf, ()), query="")

    def _concerned(self, conf_names: Collection[str]) -> list[Source]:
        if all(is_plain(name) for name in conf_names):
            return [self._sources[name] for name in conf_names if name in self._sources]
        return list(self._sources.values())

    def get(self, name: str) -> Source | None:
        return self._sources.get(name)

    def demand(self, name: str, *, query: str) -> Source | None:
        """What a reader of this path has to wait for; None: nothing. Raises NotFound, Refused."""
        match = self._configuration.path_for(name)
        if not match.conf.source_on_demand or not self._is_pull(match.conf) or not self._open:
            return None
        path = self._paths.get(name)
        if path is not None and path.publication is not None:
            return None
        source = self._sources.get(name)
        if source is not None:
            return source if source.state is SourceState.WAITING else None
        if len(self._sources) >= ON_DEMAND_LIMIT:
            raise Refused("too many sources are being fetched")
        return self._start(name, match, query=query)

    def _start(self, name: str, match: PathMatch, *, query: str) -> Source:
        def has_readers() -> bool:
            path = self._paths.get(name)
            return path is not None and bool(path.readers)

        def stopped(source: Source) -> None:
            if self._sources.get(name) is source:
                del self._sources[name]

        source = self._sources[name] = Source(
            _expanded(match, query=query),
            name=name,
            conf=match.conf,
            make=self._pullers[_scheme(match.conf.source)],
            tasks=self._tasks,
            has_readers=has_readers,
            on_stopped=stopped,
            sleep=self._sleep,
            backoff=Backoff(),
        )
        source.start()
        return source

    def _readers_changed(self, path: Path) -> None:
        source = self._sources.get(path.name)
        if source is not None:
            source.readers_changed()

    def _is_pull(self, conf: PathConf) -> bool:
        return conf.source not in {PUBLISHER, REDIRECT} and _scheme(conf.source) in self._pullers

    def _wanted(self, name: str) -> PathConf | None:
        """How a path should be fetched; None: not at all."""
        try:
            conf = self._configuration.path_for(name).conf
        except NotFound:
            return None
        return conf if self._is_pull(conf) else None


def _scheme(source: str) -> str:
    return source.partition("://")[0].lower()


def _expanded(match: PathMatch, *, query: str) -> str:
    """The URL meant for one path: $G1 … are its expression's groups, $MTX_QUERY the reader's query.

    A group holds what a path name may hold. Nothing of a query can begin another part of the URL.
    """

    def value(found: re.Match[str]) -> str:
        if found[2]:
            return quote(query, safe=QUERY_SAFE)
        number = int(found[1])
        return match.groups[number - 1] if 1 <= number <= len(match.groups) else found[0]

    return VARIABLE.sub(value, match.conf.source)
