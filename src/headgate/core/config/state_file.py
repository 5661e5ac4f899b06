"""Where changes made through the API are kept over a restart: one file for each configuration file."""

from __future__ import annotations

import contextlib
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

    def clear(self) -> None:
        """Raises OSError."""
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
