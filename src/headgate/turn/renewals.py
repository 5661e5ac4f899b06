"""The certificates of interfaces whose files change while they serve."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from headgate.core.certificate import Certificate
from headgate.core.events import Bus
from headgate.core.renewal import Renewal
from headgate.turn.listeners import Opened, files_of

__all__ = ["Renewals"]


class Renewals:
    """One for each interface that has a certificate."""

    def __init__(self, *, bus: Bus, take: Callable[[int, Certificate], None]) -> None:
        """`take` has a listener show another one, or raises ValueError and leaves it as it is."""
        self._bus = bus
        self._take = take
        self._by_listener: dict[int, Renewal] = {}

    @property
    def present(self) -> Sequence[Renewal]:
        return list(self._by_listener.values())

    def follow(self, opened: Sequence[Opened], *, tasks: asyncio.TaskGroup) -> None:
        """These are what listens now."""
        encrypted = {one.handle: one for one in opened if one.certificate is not None}
        for handle in self._by_listener.keys() - encrypted.keys():
            self._by_listener.pop(handle).stop()
        for handle, one in encrypted.items():
            renewal = self._by_listener.get(handle) or self._renewal(handle)
            renewal.follow(files_of(one.interface), one.certificate, tasks=tasks)

    async def look(self) -> None:
        """Read the files now."""
        for renewal in self.present:
            await renewal.look()

    def stop(self) -> None:
        for renewal in self._by_listener.values():
            renewal.stop()
        self._by_listener.clear()

    def _renewal(self, handle: int) -> Renewal:
        renewal = Renewal(bus=self._bus, take=lambda certificate: self._take(handle, certificate))
        self._by_listener[handle] = renewal
        return renewal
