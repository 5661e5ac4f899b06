"""The shared secret of a server that was given none: made once, kept beside the changed configuration."""

from __future__ import annotations

import logging
import secrets
from pathlib import Path

from headgate.core.kept_file import keep_once

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
        return _checked(keep_once(path, made + "\n", limit=LONGEST + 1).strip())
    except (OSError, ValueError) as error:
        logger.warning("%s: %s; credentials made now end with this server", path, error)
    return made


def _checked(secret: str) -> str:
    """Raises ValueError: it is none."""
    if not 16 <= len(secret) <= LONGEST or not secret.isprintable():
        raise ValueError("there is no secret in it")
    return secret
