"""Which allocation a connection with a peer is of, so that its end reaches whoever knows it (RFC 6062)."""

from __future__ import annotations

from headgate.engine import EngineLoop, Handler

__all__ = ["PeerConnections"]


class PeerConnections:
    """Bounded by the engine, which has at most 256 for each allocation."""

    def __init__(self, loop: EngineLoop, handler: Handler) -> None:
        self._loop = loop
        self._handler = handler
        self._allocations: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._allocations)

    def began(self, connection: int, allocation: int) -> None:
        """Have its `Closed` handled."""
        self._allocations[connection] = allocation
        self._loop.attach(connection, self._handler)

    def ended(self, connection: int) -> int | None:
        """The allocation; None: it is no peer's connection."""
        return self._allocations.pop(connection, None)
