"""How many answers a stranger gets (S-06): token buckets in a table whose size no flood changes."""

from __future__ import annotations

from array import array

__all__ = ["BURST", "Budget"]

SLOTS = 16_384  # of 16 bytes: 256 KiB, whatever is thrown at it
BURST = 5.0
"""Seconds' worth that may come at once: a browser gathers candidates on every interface it has."""


class Budget:
    """By address; two that share a slot share its budget. Python's hash is keyed, so nobody can aim."""

    def __init__(self, *, per_second: float) -> None:
        self.per_second = per_second
        """0: no limit. May be exchanged."""
        self._tokens = array("d", bytes(8 * SLOTS))
        self._times = array("d", [float("-inf")]) * SLOTS
        self.refused = 0

    def admits(self, host: str, *, now: float) -> bool:
        """Take one from the address's budget; False: it is empty."""
        rate = self.per_second
        if not rate:
            return True
        slot = hash(_site(host) if ":" in host else host) % SLOTS
        tokens = min(rate * BURST, self._tokens[slot] + (now - self._times[slot]) * rate)
        self._times[slot] = now
        if tokens < 1.0:
            self._tokens[slot] = tokens
            self.refused += 1
            return False
        self._tokens[slot] = tokens - 1.0
        return True


def _site(host: str) -> str:
    """Of an IPv6 address its /64: a customer has all the rest to choose from."""
    head, _, tail = host.partition("::")
    groups = head.split(":") if head else []
    if len(groups) < 4:
        missing = 8 - len(groups) - (len(tail.split(":")) if tail else 0)
        groups += ["0"] * missing + (tail.split(":") if tail else [])
    return ":".join(groups[:4])
