"""Failed logins, by address and user together, so that nobody can lock a user out from elsewhere."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

from headgate.core.auth.request import address

__all__ = ["LIMIT", "WINDOW", "Throttle"]

LIMIT = 10
WINDOW = 60.0
"""Seconds from the first failure in which `LIMIT` are allowed."""
CAPACITY = 16_384  # pairs; past it the one seen longest ago is forgotten
IPV6_SITE = 64  # bits; a customer of an IPv6 provider has all the rest to choose from

Key = tuple[str, str]


class Throttle:
    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._failures: OrderedDict[Key, tuple[float, int]] = OrderedDict()
        """Since when, and how many."""
        self.refused = 0
        """Attempts that were blocked, since the start."""

    def __len__(self) -> int:
        return len(self._failures)

    def blocks(self, *, ip: str, user: str) -> bool:
        """Whether an attempt must not even be looked at."""
        since, count = self._failures.get(_key(ip, user), (0.0, 0))
        blocked = count >= LIMIT and self._now() < since + WINDOW
        self.refused += blocked
        return blocked

    def failed(self, *, ip: str, user: str) -> None:
        """Also said before an attempt that takes time, so that many at once are no way around the limit."""
        key = _key(ip, user)
        since, count = self._failures.get(key, (self._now(), 0))
        if self._now() >= since + WINDOW:
            since, count = self._now(), 0
        self._failures[key] = (since, count + 1)
        self._failures.move_to_end(key)
        if len(self._failures) > CAPACITY:
            self._failures.popitem(last=False)

    def succeeded(self, *, ip: str, user: str) -> None:
        self._failures.pop(_key(ip, user), None)

    def withdrawn(self, *, ip: str, user: str) -> None:
        """The attempt was never judged: nobody could be asked, or the client left."""
        key = _key(ip, user)
        since, count = self._failures.get(key, (0.0, 0))
        if count > 1:
            self._failures[key] = (since, count - 1)
        else:
            self._failures.pop(key, None)


def _key(ip: str, user: str) -> Key:
    parsed = address(ip)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, IPV6_SITE), strict=False)), user
    return str(parsed or ip), user
