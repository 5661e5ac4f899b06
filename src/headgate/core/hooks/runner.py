"""Runs the commands of hooks: as many processes as there may be, started again where that is wished."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from headgate.core.hooks.command import expand, words
from headgate.core.hooks.output import HookOutput
from headgate.core.hooks.process import KILL_AFTER, ProcessGroup

__all__ = ["HookRunner", "Job", "Run"]

logger = logging.getLogger(__name__)

PROCESS_LIMIT = 256
"""Runs at once. A hook for each of a thousand readers must not eat the machine that serves them."""
RESTART_PAUSE = 5.0
"""Seconds before a command that ended is started again, as with MediaMTX."""
FAREWELL_TIMEOUT = 3.0
"""Seconds that commands which tell of an end have when the server stops."""
OURS = ("HEADGATE_", "MTX_")
"""Variables that configure the server: passwords may be among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A command and the occasion to run it."""

    hook: str
    """Its key in the configuration."""
    subject: str
    """What it is about, for the log: "path 'cam'"."""
    command: str
    variables: Mapping[str, str]
    restart: bool = False

    def __str__(self) -> str:
        return f"hook {self.hook} of {self.subject}"


class Run:
    """A job under way. A hook that lasts as long as something does is stopped by its owner."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.ending = asyncio.Event()

    def stop(self) -> None:
        """Have it end: SIGINT to its process group, SIGKILL later. Does not wait."""
        self.ending.set()


class HookRunner:
    """Enter it to run jobs; leaving it ends them all."""

    def __init__(
        self,
        *,
        limit: int = PROCESS_LIMIT,
        kill_after: float = KILL_AFTER,
        farewell_timeout: float = FAREWELL_TIMEOUT,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = limit
        self._kill_after = kill_after
        self._farewell_timeout = farewell_timeout
        self._sleep = sleep
        self._now = now
        self._tasks = asyncio.TaskGroup()
        self._runs: dict[Run, asyncio.Task[None]] = {}
        self._groups: set[ProcessGroup] = set()
        # By hook, since the server started:
        self.started: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        """Ended by themselves with another status than 0, or could not be started."""
        self.refused: Counter[str] = Counter()
        """Jobs not run because too many were."""

    @property
    def running(self) -> int:
        return len(self._groups)

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runs and error is None:
            # Those that last are stopped by their owners; these are the ones that tell of an end.
            await asyncio.wait(self._runs.values(), timeout=self._farewell_timeout)
        for run in self._runs:
            run.stop()
        await self._tasks.__aexit__(None, None, None)

    def start(self, job: Job) -> Run | None:
        """Run a job, without waiting for it; None when too many run, which is counted."""
        if len(self._runs) >= self._limit:
            if not self.refused[job.hook]:
                logger.warning("%s is not run: %d commands are running already", job, self._limit)
            self.refused[job.hook] += 1
            return None
        run = Run(job)
        self._runs[run] = self._tasks.create_task(self._perform(run))
        return run

    def kill(self) -> None:
        """At once, for a server that has no time: nothing is waited for."""
        for group in self._groups:
            group.signal(signal.SIGKILL)

    async def _perform(self, run: Run) -> None:
        try:
            await self._once(run)
            while run.job.restart and not run.ending.is_set():
                await self._pause(run)
                if not run.ending.is_set():
                    await self._once(run)
        except Exception:
            logger.exception("a bug while running %s", run.job)
        finally:
            del self._runs[run]

    async def _once(self, run: Run) -> None:
        job = run.job
        try:
            group = await ProcessGroup.start(
                expand(words(job.command), job.variables),
                environ=_environ(job.variables),
                output=HookOutput(str(job), now=self._now),
                kill_after=self._kill_after,
            )
        except (OSError, ValueError) as error:
            self.failed[job.hook] += 1
            reason = error.strerror if isinstance(error, OSError) else error
            logger.error("%s cannot be run: %s", job, reason)  # noqa: TRY400 - the reason is all there is
            return
        self.started[job.hook] += 1
        self._groups.add(group)
        logger.info("%s started: process %d", job, group.id)
        try:
            status = await group.run(run.ending)
        finally:
            self._groups.discard(group)
        if status and not run.ending.is_set():
            self.failed[job.hook] += 1
        logger.info("%s ended %s", job, _told(status))

    async def _pause(self, run: Run) -> None:
        async with asyncio.TaskGroup() as tasks:
            over = tasks.create_task(_done(self._sleep(RESTART_PAUSE)))
            waits = {over, tasks.create_task(run.ending.wait())}
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()


async def _done(wait: Awaitable[object]) -> bool:
    await wait
    return True


def _environ(variables: Mapping[str, str]) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**ours, **variables}


def _told(status: int) -> str:
    if status >= 0:
        return f"with exit status {status}"
    with contextlib.suppress(ValueError):
        return f"by {signal.Signals(-status).name}"
    return f"by signal {-status}"
