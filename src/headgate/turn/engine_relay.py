"""The engine as the decisions know it."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping, Sequence

from headgate.engine import Allocate, BindChannel, BindRelay, Engine, Permit
from headgate.engine import FiveTuple as EngineFiveTuple
from headgate.engine import RelayTransport as EngineTransport
from headgate.turn.relay import FiveTuple, RelayAddress, RelayPort, RelayTransport
from headgate.turn.request import Outgoing
from headgate.turn.stun.address import TransportAddress

__all__ = ["EngineRelay"]

TRANSPORTS = {
    RelayTransport.UDP: EngineTransport.UDP,
    RelayTransport.TCP: EngineTransport.TCP,
}


class EngineRelay:
    def __init__(self, engine: Engine, *, began: Callable[[int, int], None]) -> None:
        """`began` is told of each connection to a peer, and of its allocation."""
        self._engine = engine
        self._began = began
        self.listeners: Mapping[TransportAddress, int] = {}
        """By where UDP clients reach them: those that an answer may come from."""

    def bind(self, address: RelayAddress, port: int, *, transport: RelayTransport) -> int:
        external = address.external if address.external != address.host else None
        return self._engine.bind_relay(
            BindRelay(
                host=address.host,
                port=port,
                external_host=external,
                transport=TRANSPORTS[transport],
            )
        ).handle

    def release(self, handle: int) -> None:
        self._engine.close(handle)

    def allocate(
        self, five_tuple: FiveTuple, relays: Sequence[int], *, lifetime: float, rate: int, movable: bool
    ) -> int:
        return self._engine.allocate(
            Allocate(
                five_tuple=_own(five_tuple),
                relays=relays,
                lifetime_s=lifetime,
                bytes_per_second=rate,
                movable=movable,
            )
        )

    def refresh(self, allocation: int, *, lifetime: float) -> None:
        self._engine.refresh_allocation(allocation, lifetime)

    def close(self, allocation: int) -> None:
        self._engine.close(allocation)

    def release_one(self, allocation: int, port: RelayPort) -> None:
        self._engine.release_relay(allocation, port.address.host)

    def hang_up(self, connection: int) -> None:
        self._engine.close(connection)

    def permit(self, allocation: int, hosts: Sequence[str], *, lifetime: float, relayed_only: bool) -> None:
        self._engine.permit(
            Permit(allocation=allocation, hosts=hosts, lifetime_s=lifetime, relayed_only=relayed_only)
        )

    def bind_channel(
        self,
        allocation: int,
        number: int,
        peer: TransportAddress,
        *,
        lifetime: float,
        permission_lifetime: float,
        relayed_only: bool,
    ) -> None:
        self._engine.bind_channel(
            BindChannel(
                allocation=allocation,
                number=number,
                peer_host=peer.host,
                peer_port=peer.port,
                lifetime_s=lifetime,
                permission_lifetime_s=permission_lifetime,
                relayed_only=relayed_only,
            )
        )

    def send(self, out: Outgoing) -> None:
        if out.join:
            self._engine.join(_own(out.five_tuple), out.join, out.data)
        elif out.source is not None and (listener := self.listeners.get(out.source)):
            port = out.port or out.five_tuple.client_port
            self._engine.answer_from(listener, _own(out.five_tuple), port, out.data)
        else:
            self._engine.answer(_own(out.five_tuple), out.data)

    def move(self, allocation: int, *, before: FiveTuple, five_tuple: FiveTuple) -> None:
        self._engine.move_allocation(allocation, before=_own(before), five_tuple=_own(five_tuple))

    def connect(self, allocation: int, peer: TransportAddress) -> int:
        try:
            connection = self._engine.connect_peer(allocation, peer.host, peer.port)
        except ValueError as error:
            raise OSError(errno.EADDRNOTAVAIL, str(error)) from None
        self._began(connection, allocation)
        return connection


def _own(five_tuple: FiveTuple) -> EngineFiveTuple:
    if not isinstance(five_tuple, EngineFiveTuple):
        raise TypeError("a five-tuple that the engine did not make")
    return five_tuple
