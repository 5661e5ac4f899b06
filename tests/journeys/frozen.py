"""A thread of a running server that the kernel does not run any more, whatever it is at."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["frozen", "threads_named"]

# Of linux/ptrace.h.
SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000  # of linux/wait.h: also for threads
PATIENCE = 10.0  # seconds


def threads_named(process: int, name: str) -> list[int]:
    """The ids of a process's threads of this name."""
    threads = Path(f"/proc/{process}/task").iterdir()
    return [int(thread.name) for thread in threads if (thread / "comm").read_text().strip() == name]


@contextmanager
def frozen(thread: int) -> Iterator[None]:
    """Nobody else is stopped, as it would be by a signal.

    It takes the right to trace who we have started (which Linux gives unless a container takes it away);
    without it the test fails, and says so.
    """
    hold = _Hold(thread)
    hold.start()
    try:
        assert hold.tried.wait(PATIENCE), "it was not stopped"
        if hold.refused:
            pytest.fail(f"the thread of a server must be stopped, and this user may not: {hold.refused}")
        yield
    finally:
        hold.let_go.set()
        hold.join(PATIENCE)


class _Hold(threading.Thread):
    """Whoever stops a thread must be the one who lets it go: the kernel takes that from nobody else."""

    def __init__(self, thread: int) -> None:
        super().__init__(name="hold", daemon=True)
        self._thread = thread
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
        self._libc.ptrace.restype = ctypes.c_long
        self.tried, self.let_go = threading.Event(), threading.Event()
        self.refused = ""

    def run(self) -> None:
        try:
            self._ask(SEIZE)
            self._ask(INTERRUPT)
            os.waitpid(self._thread, WALL)
        except OSError as error:
            self.refused = str(error)
            return
        finally:
            self.tried.set()
        self.let_go.wait()
        self._ask(DETACH)

    def _ask(self, request: int) -> None:
        if self._libc.ptrace(request, self._thread, None, None) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
