"""Sessions by the address their client has, for those who ask after one of ten thousand."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.core.service import Endpoint
from headgate.turn.session import TurnSession

__all__ = ["Clients"]


class Clients:
    def __init__(self) -> None:
        self._by_address: dict[Endpoint, tuple[TurnSession, ...]] = {}
        """Nearly always one: the same address and port at another interface, or over TCP, is another."""

    def add(self, session: TurnSession) -> None:
        self._by_address[session.remote] = (*self._by_address.get(session.remote, ()), session)

    def remove(self, session: TurnSession) -> None:
        """Call it before `session.remote` changes. Nothing happens to one that is not here."""
        others = tuple(one for one in self._by_address.get(session.remote, ()) if one is not session)
        if others:
            self._by_address[session.remote] = others
        else:
            self._by_address.pop(session.remote, None)

    def at(self, address: Endpoint) -> Sequence[TurnSession]:
        """Oldest first."""
        return self._by_address.get(address, ())

    def __len__(self) -> int:
        """Addresses that have one."""
        return len(self._by_address)
