"""A time as every answer, event and log line prints it (RFC 3339)."""

from __future__ import annotations

import functools
from datetime import UTC, datetime

__all__ = ["rfc3339", "utc_now"]

utc_now = functools.partial(datetime.now, UTC)
"""Asked for every event: a function in Python around it would double what it costs."""


def rfc3339(at: datetime, *, timespec: str = "auto") -> str:
    """In UTC, as "Z". `timespec` as of `datetime.isoformat`."""
    return at.astimezone(UTC).isoformat(timespec=timespec).removesuffix("+00:00") + "Z"
