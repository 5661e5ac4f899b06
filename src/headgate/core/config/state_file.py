"""Where changes made through the API are kept over a restart: one file for each configuration file."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import logging
import os
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import platformdirs

from headgate.core.errors import Refused

__all__ = ["StateFile", "state_directory"]

logger = logging.getLogger(__name__)

VARIABLE = "HEADGATE_STATE_DIR"
SIZE_LIMIT = 16 << 20  # bytes; some five thousand paths with every key given
LEAST_REWRITTEN = 1 << 20
"""Bytes up to which it is not written anew, however little it began with."""
DIRECTORY_MODE = 0o700


def state_directory(environ: Mapping[str, str]) -> Path:
    """$HEADGATE_STATE_DIR, else the user's."""
    return Path(environ.get(VARIABLE) or platformdirs.user_state_path("headgate"))


class StateFile:
    """Enter it to hold it: a second server with the same file and directory is refused.

    Two servers with configuration files of their own have states of their own.
    """

    def __init__(self, directory: Path, configuration: Path | None) -> None:
        name = str(configuration.resolve()) if configuration else ""
        self.configuration = configuration
        self.path = directory / f"changes-{hashlib.sha256(name.encode()).hexdigest()[:16]}.json"
        self._lock = -1
        self._whole = 0
        """Bytes that this process has written as one, behind which it may append; 0: none for sure."""

    def __enter__(self) -> Self:
        """Raises OSError; BlockingIOError where another server holds it."""
        self.path.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        self._lock = os.open(self.path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for leftover in self.path.parent.glob(f".{self.path.stem}-*"):  # of a crash while writing
                leftover.unlink(missing_ok=True)
        except BaseException:
            self.release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def read(self) -> str | None:
        """What was written last; None where there is nothing. Raises OSError, ValueError."""
        try:
            with self.path.open("rb") as stream:
                content = stream.read(SIZE_LIMIT + 1)
        except FileNotFoundError:
            return None
        if len(content) > SIZE_LIMIT:
            raise ValueError(f"it is larger than {SIZE_LIMIT >> 20} MiB")
        return content.decode()

    def write(self, text: str) -> None:
        """When this returns, a crash loses nothing; while it runs, a crash leaves what was there before.

        Raises Refused when it is too large, OSError.
        """
        self._whole = 0
        content = text.encode()
        if len(content) > SIZE_LIMIT:
            raise Refused(f"the changes would take more than {SIZE_LIMIT >> 20} MiB; put them into the file")
        descriptor, temporary = tempfile.mkstemp(prefix=f".{self.path.stem}-", dir=self.path.parent)
        try:
            with os.fdopen(descriptor, "wb") as stream:  # mkstemp made it 0600
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).replace(self.path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise
        self._sync_directory()
        self._whole = len(content)

    def append(self, line: str) -> bool:
        """Write one more line behind what is there: what a change of one path among thousands costs. As safe
        as `write`. False: it has to be written whole, which is so at first, and when it has doubled.

        Raises OSError.
        """
        whole, self._whole = self._whole, 0
        if not whole:
            return False
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            size, content = os.fstat(descriptor).st_size, line.encode()
            if size + len(content) > min(SIZE_LIMIT, max(2 * whole, LEAST_REWRITTEN)):
                return False
            try:
                _write(descriptor, content)
            except BaseException:
                os.ftruncate(descriptor, size)
                raise
        finally:
            os.close(descriptor)
        self._whole = whole
        return True

    def clear(self) -> None:
        """Raises OSError."""
        self._whole = 0
        self.path.unlink(missing_ok=True)
        self._sync_directory()

    def put_aside(self) -> Path:
        """Make way for a new one, and keep what is there for somebody to look at. Raises OSError."""
        aside = self.path.with_suffix(f".{datetime.now(UTC):%Y%m%dT%H%M%S.%f}.bad")
        self.path.rename(aside)
        return aside

    def _sync_directory(self) -> None:
        directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def release(self) -> None:
        """Also done by leaving it."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _write(descriptor: int, content: bytes) -> None:
    """Raises OSError, also where the disk has room for a part only."""
    if os.write(descriptor, content) != len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fdatasync(descriptor)
