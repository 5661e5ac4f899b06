"""Static sources: paths whose stream we fetch from elsewhere, always or while somebody reads."""

from __future__ import annotations

import asyncio
import enum
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from headgate.core.config import PathConf
from headgate.core.errors import HeadgateError, NotFound
from headgate.core.session import CloseReason
from headgate.media.backoff import Backoff

__all__ = ["MakePuller", "Puller", "Source", "SourceFailed", "SourceState"]

logger = logging.getLogger(__name__)


class SourceFailed(HeadgateError):
    """A source cannot be had now. Its text is for the log and shows no secret."""

    def __init__(self, text: str, *, transport: bool = False) -> None:
        super().__init__(text)
        self.transport = transport
        """It might work over another transport."""


class Puller(Protocol):
    """One try to fetch a source."""

    async def run(self) -> None:
        """Lasts as long as the stream does. Raises SourceFailed."""

    def stop(self, reason: CloseReason) -> None:
        """End its session for this reason; cancelled next."""


class MakePuller(Protocol):
    def __call__(self, url: str, *, name: str, conf: PathConf, on_ready: Callable[[], None]) -> Puller:
        """`on_ready` is called when the path has its stream."""


class SourceState(enum.Enum):
    """Of a source on demand. One that is always wanted is WAITING or READY."""

    INITIAL = enum.auto()
    WAITING = enum.auto()
    """Being fetched; requests are held until it is here, or sourceOnDemandStartTimeout has passed."""
    READY = enum.auto()
    CLOSING = enum.auto()
    """Nobody reads; left after sourceOnDemandCloseAfter, unless somebody comes."""


class Source:
    """Fetched again and again, until stopped."""

    def __init__(
        self,
        url: str,
        *,
        name: str,
        conf: PathConf,
        make: MakePuller,
        tasks: asyncio.TaskGroup,
        has_readers: Callable[[], bool],
        on_stopped: Callable[[Source], None],
        sleep: Callable[[float], Awaitable[None]],
        backoff: Backoff,
    ) -> None:
        self.name = name
        self.url = url
        """With its user and password: never shown."""
        self.conf = conf
        self.state = SourceState.INITIAL
        self._make = make
        self._tasks = tasks
        self._has_readers = has_readers
        self._on_stopped = on_stopped
        self._sleep = sleep
        self._backoff = backoff
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._puller: Puller | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._here: asyncio.Future[None] = self._loop.create_future()
        self._complaint = ""

    @property
    def on_demand(self) -> bool:
        return self.conf.source_on_demand

    def start(self) -> None:
        self._wait()
        self._task = self._tasks.create_task(self._fetch(), name=f"source of {self.name}")

    async def wait_ready(self) -> None:
        """Raises NotFound when it did not come in time."""
        await asyncio.shield(self._here)

    def stop(self, reason: CloseReason) -> None:
        """Leave it, for good. Whoever waits is refused."""
        if self._task is None:
            return
        task, self._task = self._task, None
        self._set_timer(None, 0)
        self.state = SourceState.INITIAL
        if not self._here.done():
            self._here.set_exception(NotFound(f"source of path '{self.name}' has timed out"))
        if not self._here.cancelled():
            self._here.exception()  # nobody has to have waited
        if self._puller is not None:
            self._puller.stop(reason)
        task.cancel()
        self._on_stopped(self)

    def readers_changed(self) -> None:
        """Somebody came, or the last one left."""
        if not self.on_demand or self.state not in {SourceState.READY, SourceState.CLOSING}:
            return
        if self._has_readers():
            self.state = SourceState.READY
            self._set_timer(None, 0)
        elif self.state is SourceState.READY:
            self.state = SourceState.CLOSING
            self._set_timer(self._unwanted, self.conf.source_on_demand_close_after)

    # States

    def _wait(self) -> None:
        self.state = SourceState.WAITING
        if self._here.done():
            self._here = self._loop.create_future()
        if self.on_demand:
            self._set_timer(self._unwanted, self.conf.source_on_demand_start_timeout)

    def _ready(self) -> None:
        self.state = SourceState.READY
        self._complaint = ""
        self._set_timer(None, 0)
        if not self._here.done():
            self._here.set_result(None)
        self.readers_changed()

    def _lost(self) -> None:
        """Try again, but for a source on demand that nobody waits for any more."""
        if self.state is SourceState.WAITING:
            return
        if self.on_demand and not self._has_readers():
            self.stop(CloseReason.SOURCE_LOST)
        else:
            self._wait()

    def _unwanted(self) -> None:
        self._timer = None
        logger.info("source of path '%s' is left: %s", self.name, self.state.name.lower())
        self.stop(CloseReason.UNWANTED)

    def _set_timer(self, call: Callable[[], None] | None, delay: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if call is None else self._loop.call_later(delay, call)

    # Fetching

    async def _fetch(self) -> None:
        while self._task is not None:
            began = self._loop.time()
            await self._try()
            ready = self.state is not SourceState.WAITING
            self._lost()
            worked = self._loop.time() - began if ready else 0.0
            await self._sleep(self._backoff.after(worked=worked))

    async def _try(self) -> None:
        try:
            self._puller = self._make(self.url, name=self.name, conf=self.conf, on_ready=self._ready)
            await self._puller.run()
        except SourceFailed as error:
            self._complain(str(error))
        except Exception:
            # A bug in one source is tried again too, and does not end the group of all.
            logger.exception("a bug while fetching the source of path '%s'", self.name)
        finally:
            self._puller = None

    def _complain(self, text: str) -> None:
        # A camera that is off all night is worth a line, not one for every try.
        level = logging.DEBUG if text == self._complaint else logging.WARNING
        self._complaint = text
        logger.log(level, "source of path '%s': %s", self.name, text)
