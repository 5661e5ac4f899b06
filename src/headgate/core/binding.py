"""An address of the configuration, bound, or the reason why it is not in an operator's words."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import TypeVar

from headgate.core.errors import ListenError

__all__ = ["bind"]

T = TypeVar("T")


def bind(open_at: Callable[[str], T], host: str, *, mistake: str) -> T:
    """What `open_at` makes of the host; of "::" also without IPv6, then IPv4 alone.

    Raises ListenError: `mistake`, which says what cannot listen where, and the system's reason.
    """
    try:
        try:
            return open_at(host)
        except OSError as error:
            if host != "::" or error.errno not in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}:
                raise
            return open_at("0.0.0.0")  # noqa: S104 (every interface is what the configuration says)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
    except ValueError as error:
        reason = str(error)
    raise ListenError(f"{mistake}: {reason.lower()}")
