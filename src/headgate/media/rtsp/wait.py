"""What a decision has to wait for, where it cannot be taken at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

__all__ = ["Wait"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Returned instead of an answer: wait for this, and ask again.

    So what came must be kept by whoever is asked again. A HeadgateError while waiting refuses the
    request, as it would have at once; a client that leaves cancels it.
    """

    until: Callable[[], Awaitable[object]]
    """Called in a task of the connection's own."""
    timeout: float
    """Seconds; past them the request is refused with 503."""
