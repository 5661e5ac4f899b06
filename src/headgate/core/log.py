"""Where log lines go: to a thread that writes them, so that a reader of our output who stops reading
stops no session.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from headgate.core.config.change import Change, Prepared
from headgate.core.config.choices import LogDestination, LogFormat, LogLevel
from headgate.core.config.configuration import Configuration
from headgate.core.config.global_conf import GlobalConf
from headgate.core.errors import LogError
from headgate.core.log_destination import Destination, LogFile, StandardStreams, SystemLog
from headgate.core.log_form import form_of

__all__ = ["LogWriter"]

CAPACITY = 10_000  # lines; a few megabytes
FLUSH_TIMEOUT = 0.5  # seconds, at the end
LEVELS = {
    LogLevel.ERROR: logging.ERROR,
    LogLevel.WARN: logging.WARNING,
    LogLevel.INFO: logging.INFO,
    LogLevel.DEBUG: logging.DEBUG,
}


KEYS = ("logFormat", "logDestinations", "logFile", "sysLogPrefix")
"""What it follows while it runs; the level is the root logger's."""


class Request(enum.Enum):
    """What the thread is asked in its turn, between lines."""

    REOPEN = enum.auto()


@dataclass(frozen=True, slots=True)
class GoOver:
    """Another request: write there from now on."""

    destinations: Sequence[Destination]


class LogWriter(logging.Handler):
    """While it is entered it is the root's handler, and its destinations are open.

    A line that finds the queue full is dropped; how many were is said when there is room again.
    """

    def __init__(
        self,
        *,
        level: int,
        form: LogFormat = LogFormat.TEXT,
        destinations: Sequence[Destination] | None = None,
    ) -> None:
        """`destinations`: the standard streams, where none is given."""
        super().__init__()
        self._level = level
        self._destinations = [StandardStreams()] if destinations is None else destinations
        # Lines are bounded by `emit`; requests, which are an operator's, always find room.
        self._lines: queue.Queue[tuple[int, str] | Request | GoOver | None] = queue.Queue()
        self._dropped = 0
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self.setFormatter(form_of(form))

    @classmethod
    def of(cls, configuration: Configuration) -> Self:
        """As it is configured. Raises LogError when a destination cannot be opened."""
        return cls(
            level=LEVELS[configuration.global_.log_level],
            form=configuration.own.log_format,
            destinations=_opened(configuration.global_),
        )

    def __enter__(self) -> Self:
        root = logging.getLogger()
        root.addHandler(self)
        root.setLevel(self._level)
        # What they say at a lower level is about their own start and stop, which nobody asked for.
        for name in ("uvicorn", "asyncio"):
            logging.getLogger(name).setLevel(max(self._level, logging.WARNING))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        logging.getLogger().removeHandler(self)
        self._lines.put(None)
        self._thread.join(FLUSH_TIMEOUT)  # perhaps nobody reads our output

    def reopen(self) -> None:
        """Open files anew, after the lines so far: somebody has moved them away. Does not wait."""
        self._lines.put(Request.REOPEN)

    async def prepare(self, change: Change) -> Prepared | None:
        """Open the new destinations. The lines so far go to the old ones. Raises LogError."""
        if not change.concerns(*KEYS):
            return None
        destinations = await asyncio.to_thread(_opened, change.new.global_)
        return NewDestinations(self, destinations, form_of(change.new.own.log_format))

    def go_over(self, destinations: Sequence[Destination], form: logging.Formatter) -> None:
        """To these, after the lines so far; the ones before are closed then. Does not wait."""
        self.acquire()  # no line of the old form goes to the new ones
        try:
            self._lines.put(GoOver(destinations))
            self.setFormatter(form)
        finally:
            self.release()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if self._lines.qsize() >= CAPACITY:
                self._dropped += 1
                return
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                self._lines.put((logging.WARNING, self.format(_of_dropped(dropped))))
            self._lines.put((record.levelno, self.format(record)))
        except Exception:  # noqa: BLE001 (logging's contract: a bad record is reported, never raised)
            self.handleError(record)

    def _write(self) -> None:
        while (entry := self._lines.get()) is not None:
            if isinstance(entry, GoOver):
                before, self._destinations = self._destinations, entry.destinations
                _close(before)
                continue
            for destination in self._destinations:
                # Closed, or full; there is nowhere left to say so.
                with contextlib.suppress(OSError, ValueError):
                    if isinstance(entry, tuple):
                        destination.write(*entry)
                    else:
                        destination.reopen()
        _close(self._destinations)


@dataclass(frozen=True, slots=True)
class NewDestinations:
    """What `LogWriter.prepare` opened."""

    writer: LogWriter
    destinations: Sequence[Destination]
    form: logging.Formatter

    def commit(self) -> None:
        self.writer.go_over(self.destinations, self.form)

    async def rollback(self) -> None:
        _close(self.destinations)


def _opened(settings: GlobalConf) -> list[Destination]:
    """Raises LogError when one of them cannot be opened, and then none is open."""
    destinations: list[Destination] = []
    try:
        for word in settings.log_destinations:
            match word:
                case LogDestination.STDOUT:
                    destinations.append(StandardStreams())
                case LogDestination.FILE:
                    destinations.append(LogFile(Path(settings.log_file)))
                case LogDestination.SYSLOG:
                    destinations.append(SystemLog(settings.sys_log_prefix))
    except LogError:
        _close(destinations)
        raise
    return destinations


def _close(destinations: Sequence[Destination]) -> None:
    for destination in destinations:
        with contextlib.suppress(OSError):
            destination.close()


def _of_dropped(count: int) -> logging.LogRecord:
    return logging.LogRecord(
        __name__, logging.WARNING, __file__, 0, "%d log lines were dropped", (count,), None
    )
