"""The configuration of a running server: the one place where it changes, whole or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any

from headgate.core.config.change import Applier, Change, Prepared
from headgate.core.config.changes import Changes
from headgate.core.config.configuration import Configuration
from headgate.core.config.file_only import dropped_hooks
from headgate.core.config.layers import Layers
from headgate.core.config.loader import Loaded, load
from headgate.core.config.startup import Startup
from headgate.core.config.state_file import StateFile
from headgate.core.errors import ConfigurationError, HeadgateError, Refused
from headgate.core.events import Bus, ConfigurationChanged, ConfigurationRefused

__all__ = ["ConfigurationStore"]

logger = logging.getLogger(__name__)

KEYS_TOLD = 256
"""Keys in one event or log line at most; the whole configuration is a GET away."""
MISTAKES_TOLD = 32
Values = Mapping[str, Any]


class ConfigurationStore:
    """Every change goes the same way, one after another: a whole new configuration is made and checked;
    every part prepares for it; it is kept on disk; then every part goes over to it. Whatever fails
    before that last step is undone, and the error is the caller's.

    The methods raise ConfigurationError, NotFound, Refused or ListenError, with the text for the operator.
    """

    def __init__(self, startup: Startup, *, bus: Bus) -> None:
        self._layers = startup.layers
        self._file = startup.file
        self._environ = startup.environ
        self._state = startup.state
        self._bus = bus
        self._appliers: list[Applier] = []
        self._lock = asyncio.Lock()
        self._closed = False
        self._given_up = False
        """Whether a change was cancelled while it was being kept."""

    @property
    def configuration(self) -> Configuration:
        return self._layers.configuration

    @property
    def changes(self) -> Changes:
        return self._layers.changes

    def register(self, applier: Applier) -> None:
        """In the order of registration they prepare, and go over."""
        self._appliers.append(applier)

    async def close(self) -> None:
        """The server stops: nothing is opened any more, and another may hold the changes."""
        self._closed = True
        async with self._lock:
            if self._state is not None:
                self._state.release()

    async def patch_global(self, given: Values) -> None:
        await self._change(lambda layers: layers.patch_global(given), paths=None)

    async def patch_path_defaults(self, given: Values) -> None:
        await self._change(lambda layers: layers.patch_path_defaults(given), paths=None)

    async def add_path(self, name: str, given: Values) -> None:
        await self._change(lambda layers: layers.add_path(name, given), paths=(name,))

    async def patch_path(self, name: str, given: Values) -> None:
        await self._change(lambda layers: layers.patch_path(name, given), paths=(name,))

    async def replace_path(self, name: str, given: Values) -> None:
        await self._change(lambda layers: layers.replace_path(name, given), paths=(name,))

    async def delete_path(self, name: str) -> None:
        await self._change(lambda layers: layers.delete_path(name), paths=(name,))

    async def reset(self) -> None:
        """Drop every change made through the API: what the file says holds again."""
        await self._change(lambda layers: Layers.compose(layers.base, layers.base_own), paths=None)

    async def reload(self) -> bool:
        """Read the file again; the changes stay on top of it. A file with mistakes changes nothing, and
        they are logged. Whether it was taken.
        """
        async with self._lock:
            before = self._layers.changes
            try:
                loaded = await asyncio.to_thread(self._load)
                layers = await asyncio.to_thread(Layers.compose, loaded.configuration, loaded.own, before)
                await self._apply(layers, paths=None, cause="file")
            except HeadgateError as error:
                mistakes = error.mistakes if isinstance(error, ConfigurationError) else [str(error)]
                for mistake in mistakes[:MISTAKES_TOLD]:
                    logger.error("%s", mistake)  # noqa: TRY400 (told, not traced)
                logger.warning("%s is not taken; the configuration stays as it is", self._name)
                self._bus.publish(ConfigurationRefused(mistakes=tuple(mistakes[:MISTAKES_TOLD])))
                return False
            for warning in (*loaded.warnings, *dropped_hooks(before, layers.changes)):
                logger.warning("%s", warning)
            logger.info("%s was read again", self._name)
            return True

    def _load(self) -> Loaded:
        if self._file is None:
            # None was there at the start; one that turns up meanwhile is for the next start.
            return Loaded(self._layers.base, None, (), self._layers.base_own)
        return load(self._file, self._environ)

    @property
    def _name(self) -> str:
        return str(self._file or "the configuration")

    async def _change(self, make: Callable[[Layers], Layers], *, paths: Collection[str] | None) -> None:
        async with self._lock:
            # What may concern thousands of paths takes a while, in which the loop goes on.
            layers = make(self._layers) if paths else await asyncio.to_thread(make, self._layers)
            await self._apply(layers, paths=paths, cause="api")

    async def _apply(self, layers: Layers, *, paths: Collection[str] | None, cause: str) -> None:
        if self._closed:
            raise Refused("the server is stopping")
        change = Change.between(self.configuration, layers.configuration, paths=paths)
        prepared: list[Prepared] = []
        try:
            if change:
                await self._prepare(change, prepared)
            if layers.changes != self._layers.changes:
                await self._keep(layers.changes, paths=paths)
        except BaseException:
            for one in reversed(prepared):
                await asyncio.shield(_rolled_back(one))
            raise
        self._layers = layers
        for one in prepared:
            try:
                one.commit()
            except Exception:
                logger.exception("a bug while changing the configuration")
        if change:
            keys = change.keys
            self._bus.publish(
                ConfigurationChanged(cause=cause, keys=tuple(keys[:KEYS_TOLD]), key_count=len(keys))
            )
            logger.info("configuration changed (%s): %s", cause, ", ".join(keys[:KEYS_TOLD]))

    async def _prepare(self, change: Change, prepared: list[Prepared]) -> None:
        for applier in self._appliers:
            try:
                one = await applier.prepare(change)
            except (OSError, ValueError) as error:
                raise Refused(str(error)) from error
            if one is not None:
                prepared.append(one)

    async def _keep(self, changes: Changes, *, paths: Collection[str] | None) -> None:
        """`paths`: those alone that are changed."""
        if self._state is None:
            return
        if self._given_up:
            paths = None  # what stands there may be the change that nobody waited for
        loop = asyncio.get_running_loop()
        writing = loop.run_in_executor(None, _keep, self._state, changes, paths)
        try:
            await asyncio.shield(writing)
            self._given_up = False
        except asyncio.CancelledError:
            self._given_up = True
            with contextlib.suppress(OSError, Refused):
                await writing  # the next change must not meet it on the disk
            raise
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise Refused(f"the change cannot be kept in {self._state.path}: {reason}") from error


def _keep(state: StateFile, changes: Changes, paths: Collection[str] | None) -> None:
    """Raises OSError, Refused."""
    if not changes:
        state.clear()
    elif paths is None or not state.append("".join(map(changes.line, paths))):
        state.write(changes.text())


async def _rolled_back(one: Prepared) -> None:
    try:
        await one.rollback()
    except Exception:
        logger.exception("a bug while taking a change of the configuration back")
