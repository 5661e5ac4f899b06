"""Where log lines go: to a thread that writes them, so that a reader of our output who stops reading
stops no session.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import sys
import threading
from types import TracebackType
from typing import Self

__all__ = ["LogWriter"]

CAPACITY = 10_000  # lines; a few megabytes
FLUSH_TIMEOUT = 0.5  # seconds, at the end
FORM = "%(asctime)s %(levelname)-7s %(message)s"


class LogWriter(logging.Handler):
    """Warnings and errors go to stderr, the rest to stdout. While it is entered it is the root's handler.

    A line that finds the queue full is dropped; how many were is said when there is room again.
    """

    def __init__(self, *, level: int) -> None:
        super().__init__()
        self._level = level
        self._lines: queue.Queue[tuple[int, str] | None] = queue.Queue(CAPACITY)
        self._dropped = 0
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self.setFormatter(logging.Formatter(FORM))

    def __enter__(self) -> Self:
        root = logging.getLogger()
        root.addHandler(self)
        root.setLevel(self._level)
        # What it says at a lower level is about its own start and stop, which nobody asked for.
        logging.getLogger("uvicorn").setLevel(max(self._level, logging.WARNING))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        logging.getLogger().removeHandler(self)
        with contextlib.suppress(queue.Full):  # nobody reads our output
            self._lines.put(None, timeout=FLUSH_TIMEOUT)
            self._thread.join(FLUSH_TIMEOUT)

    def drained(self) -> None:
        """Wait until every line so far is written."""
        self._lines.join()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if self._dropped and not self._lines.full():
                dropped, self._dropped = self._dropped, 0
                self._lines.put_nowait((logging.WARNING, f"{dropped} log lines were dropped"))
            self._lines.put_nowait((record.levelno, self.format(record)))
        except queue.Full:
            self._dropped += 1
        except Exception:  # noqa: BLE001 (logging's contract: a bad record is reported, never raised)
            self.handleError(record)

    def _write(self) -> None:
        while (entry := self._lines.get()) is not None:
            level, line = entry
            stream = sys.stderr if level >= logging.WARNING else sys.stdout
            with contextlib.suppress(OSError, ValueError):  # closed; there is nowhere left to say so
                print(line, file=stream, flush=True)
            self._lines.task_done()
