"""The shared secret of a server that was given none: made once, kept beside the changed configuration."""

from __future__ import annotations

import logging
import os
import secrets
from pathlib import Path

__all__ = ["FILE", "generated_secret"]

logger = logging.getLogger(__name__)

FILE = "turn-secret"
SIZE = 24  # random bytes
LONGEST = 256


def generated_secret(directory: Path | None) -> str:
    """What is in the file, or a new one in it (mode 0600). Where nothing can be kept, one for this run."""
    made = secrets.token_urlsafe(SIZE)
    if directory is None:
        return made
    path = directory / FILE
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            return _read(path)
        with os.fdopen(descriptor, "w") as file:
            file.write(made + "\n")
    except (OSError, ValueError) as error:
        logger.warning("%s: %s; credentials made now end with this server", path, error)
    return made


def _read(path: Path) -> str:
    """Raises OSError, ValueError: it is no secret, or others may read it."""
    if path.stat().st_mode & 0o077:
        raise ValueError("others may read it; remove it or make its mode 0600")
    secret = path.read_text()[: LONGEST + 1].strip()
    if not 16 <= len(secret) <= LONGEST or not secret.isprintable():
        raise ValueError("there is no secret in it")
    return secret
