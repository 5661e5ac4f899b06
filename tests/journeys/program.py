"""Other people's programs, started for a journey and never left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["Program", "Stage", "require"]

POLL = 0.05  # seconds between two looks at a file that another program writes
PATIENCE = 20.0  # seconds; only a failing test waits so long


def require(*names: str) -> None:
    """Skip the test when a program is missing; where CI is set, a missing program is a failure."""
    missing = [name for name in names if shutil.which(name) is None]
    if not missing:
        return
    reason = f"not installed: {', '.join(missing)}; `make test` as root installs it"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


class Program:
    """A running program whose output goes to files, so that it never blocks on us."""

    def __init__(self, command: Sequence[str | Path], log: Path) -> None:
        self._log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    @property
    def output(self) -> str:
        """Everything it printed so far."""
        return self._log.read_text(errors="replace")

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def until(self, reached: Callable[[], bool], timeout: float = PATIENCE) -> None:
        """Wait for what it has to bring about, while it runs."""
        deadline = time.monotonic() + timeout
        while not reached():
            assert self.running, f"it ended: {self.process.args!r}\n{self.output}"
            assert time.monotonic() < deadline, (
                f"not within {timeout} s: {self.process.args!r}\n{self.output}"
            )
            time.sleep(POLL)

    def wait(self, timeout: float = PATIENCE) -> int:
        """Its exit status. A program that does not end in time fails the test with its output."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            pytest.fail(f"still running after {timeout} s: {self.process.args!r}\n{self.output}")

    def succeed(self, timeout: float = PATIENCE) -> None:
        """Wait, and fail unless it ended well."""
        status = self.wait(timeout)
        assert status == 0, f"exit status {status}: {self.process.args!r}\n{self.output}"

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


class Stage:
    """Starts a journey's programs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._programs: list[Program] = []

    def start(self, *command: str | Path) -> Program:
        name = f"{len(self._programs):02}-{Path(command[0]).name}.log"
        program = Program(command, self.directory / name)
        self._programs.append(program)
        return program

    @classmethod
    @contextmanager
    def set_up(cls, directory: Path) -> Iterator[Stage]:
        stage = cls(directory)
        try:
            yield stage
        finally:
            for program in reversed(stage._programs):
                program.end()
