"""Whether the process has descriptors to spare for what strangers make it open."""

from __future__ import annotations

import errno
import os
import resource

from headgate.engine import left_by_players, left_by_relays

__all__ = ["are_spare", "is_shortage", "left_by_players", "left_by_relays"]

SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def are_spare() -> bool:
    """Whether one more may be opened; the engine asks the same of what it opens for relays. The system hands
    out the lowest number that is free, so who asks each time never has one of the last.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return True
    try:
        number = os.eventfd(0, os.EFD_CLOEXEC)  # of all descriptors the cheapest
    except OSError:
        return False
    os.close(number)
    return number < limit - left_by_relays(limit)


def is_shortage(error: OSError) -> bool:
    """Whether nothing can be opened, whatever it is: the process or the system has no descriptor for it, or
    no memory.
    """
    return error.errno in SHORTAGES
