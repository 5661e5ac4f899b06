"""Sessions by the address their client has, for those who ask after one of ten thousand."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.core.service import Endpoint
from headgate.turn.session import TurnSession

__all__ = ["Clients"]


class Clients:
    def __init__(self) -> None:
        self._by_address: dict[Endpoint, list[TurnSession]] = {}
        """Nearly always one: the same address and port at another interface, or over TCP, is another."""

    def add(self, session: TurnSession) -> None:
        self._by_address.setdefault(session.remote, []).append(session)

    def remove(self, session: TurnSession) -> None:
        """Call it before `session.remote` changes. Nothing happens to one that is not here."""
        here = self._by_address.get(session.remote, [])
        if session in here:
            here.remove(session)
            if not here:
                del self._by_address[session.remote]

    def at(self, address: Endpoint) -> Sequence[TurnSession]:
        """Oldest first."""
        return tuple(self._by_address.get(address, ()))

    def __len__(self) -> int:
        """Addresses that have one."""
        return len(self._by_address)
