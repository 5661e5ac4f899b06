"""Sources whose packets come over TCP only: what lies between lets none through over UDP."""

from __future__ import annotations

from collections import OrderedDict

from headgate.media.rtsp.transport import Lower

__all__ = ["LIMIT", "Fallbacks"]

LIMIT = 1024
"""Sources remembered; those last noted. For any other a try costs the seconds that it did the first time."""


class Fallbacks:
    """What worked, by the name of a path and its URL, so that no later try waits for packets in vain."""

    def __init__(self) -> None:
        self._worked: OrderedDict[tuple[str, str], Lower] = OrderedDict()

    def __len__(self) -> int:
        return len(self._worked)

    def note(self, name: str, url: str, *, worked: Lower) -> None:
        self._worked[name, url] = worked
        self._worked.move_to_end((name, url))
        if len(self._worked) > LIMIT:
            self._worked.popitem(last=False)

    def ordered(self, name: str, url: str, lowers: tuple[Lower, ...]) -> tuple[Lower, ...]:
        """What worked last time comes first; what did not may do this time."""
        worked = self._worked.get((name, url))
        if worked not in lowers:
            return lowers
        return (worked, *(lower for lower in lowers if lower is not worked))
