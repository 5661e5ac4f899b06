"""The token file: codes that people type to get in to the page."""

from __future__ import annotations

import logging
from pathlib import Path

__all__ = ["CODE_LIMIT", "Codes"]

logger = logging.getLogger(__name__)

CODE_LIMIT = 100  # bytes
FILE_LIMIT = 4 << 20  # bytes


class Codes:
    """One a line: what stands in front of the first colon, in any case. Lines that begin with # do not count.

    Read again when the file has changed. One that cannot be read lets nobody in.
    """

    def __init__(self, file: str) -> None:
        self._file = Path(file) if file else None
        self._read: tuple[int, int] | None = None
        self._codes: frozenset[str] = frozenset()

    @property
    def enabled(self) -> bool:
        return self._file is not None

    def valid(self, code: str) -> str | None:
        """As it is in the file; None: there is no such code. Reads a file: for a thread."""
        self._refresh()
        lower = code.lower()
        return lower if lower and lower in self._codes else None

    def _refresh(self) -> None:
        if self._file is None:
            return
        try:
            about = self._file.stat()
            read = (about.st_mtime_ns, about.st_size)
            if read == self._read:
                return
            with self._file.open(encoding="utf-8") as stream:
                text = stream.read(FILE_LIMIT)
        except (OSError, ValueError) as error:
            logger.warning("rooms.tokenFile: %s", error)
            self._codes, self._read = frozenset(), None
            return
        lines = (line.strip() for line in text.splitlines())
        self._codes = frozenset(
            line.partition(":")[0].strip().lower() for line in lines if line and not line.startswith("#")
        ) - {""}
        self._read = read
