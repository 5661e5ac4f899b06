"""A file in the state directory that is written once, for us alone."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["keep_once"]


def keep_once(path: Path, made: str, *, limit: int) -> str:
    """What the file has, at most `limit` characters of it, or `made`, which it has from now on (mode 0600).

    Makes its directory. Raises OSError; ValueError: others may read it, or it is no text.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        if path.stat().st_mode & 0o077:
            raise ValueError("others may read it; remove it or make its mode 0600") from None
        with path.open() as file:
            return file.read(limit)
    with os.fdopen(descriptor, "w") as file:
        file.write(made)
    return made
