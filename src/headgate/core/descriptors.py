"""Whether the process has descriptors to spare for what strangers make it open."""

from __future__ import annotations

import os
import resource

__all__ = ["OTHERS", "are_spare", "spared"]

OTHERS = 640
"""What clients must leave: 512 for the operator's listener, the rest for files and sockets of ours."""
OTHERS_SHARE = 8
"""Where there are many: one of so many, for players and rooms."""


def spared(limit: int) -> int:
    """How many of so many descriptors are not for what `are_spare` is asked about."""
    return max(min(OTHERS, limit // 2), limit // OTHERS_SHARE)


def are_spare() -> bool:
    """Whether one more may be opened. The system hands out the lowest number that is free, so who asks each
    time never has one of the last.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return True
    try:
        number = os.eventfd(0, os.EFD_CLOEXEC)  # of all descriptors the cheapest
    except OSError:
        return False
    os.close(number)
    return number < limit - spared(limit)
