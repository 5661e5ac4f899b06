"""Where log lines go: to a thread that writes them, so that a reader of our output who stops reading
stops no session.
"""

from __future__ import annotations

import contextlib
import enum
import logging
import queue
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from headgate.core.config.choices import LogDestination, LogFormat, LogLevel
from headgate.core.config.configuration import Configuration
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


class Request(enum.Enum):
    """What the thread is asked in its turn, between lines."""

    REOPEN = enum.auto()


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
        self._lines: queue.Queue[tuple[int, str] | Request | None] = queue.Queue(CAPACITY)
        self._dropped = 0
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self.setFormatter(form_of(form))

    @classmethod
    def of(cls, configuration: Configuration) -> Self:
        """As it is configured. Raises LogError when a destination cannot be opened."""
        settings = configuration.global_
        destinations: list[Destination] = []
        for word in settings.log_destinations:
            match word:
                case LogDestination.STDOUT:
                    destinations.append(StandardStreams())
                case LogDestination.FILE:
                    destinations.append(LogFile(Path(settings.log_file)))
                case LogDestination.SYSLOG:
                    destinations.append(SystemLog(settings.sys_log_prefix))
        return cls(
            level=LEVELS[settings.log_level], form=configuration.own.log_format, destinations=destinations
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
        with contextlib.suppress(queue.Full):  # nobody reads our output
            self._lines.put(None, timeout=FLUSH_TIMEOUT)
            self._thread.join(FLUSH_TIMEOUT)

    def reopen(self) -> None:
        """Open files anew, after the lines so far: somebody has moved them away. Does not wait."""
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(Request.REOPEN)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if self._dropped and not self._lines.full():
                dropped, self._dropped = self._dropped, 0
                self._lines.put_nowait((logging.WARNING, self.format(_of_dropped(dropped))))
            self._lines.put_nowait((record.levelno, self.format(record)))
        except queue.Full:
            self._dropped += 1
        except Exception:  # noqa: BLE001 (logging's contract: a bad record is reported, never raised)
            self.handleError(record)

    def _write(self) -> None:
        while (entry := self._lines.get()) is not None:
            for destination in self._destinations:
                # Closed, or full; there is nowhere left to say so.
                with contextlib.suppress(OSError, ValueError):
                    if isinstance(entry, tuple):
                        destination.write(*entry)
                    else:
                        destination.reopen()
        for destination in self._destinations:
            with contextlib.suppress(OSError):
                destination.close()


def _of_dropped(count: int) -> logging.LogRecord:
    return logging.LogRecord(
        __name__, logging.WARNING, __file__, 0, "%d log lines were dropped", (count,), None
    )
