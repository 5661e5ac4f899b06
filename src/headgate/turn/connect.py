"""TCP allocations: Connect, ConnectionBind and ConnectionAttempt (RFC 6062 5.2 to 5.4)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from headgate.core.descriptors import is_shortage
from headgate.turn.allocation import Allocation
from headgate.turn.events import PeerDenied
from headgate.turn.refusal import ErrorCode, Refusal
from headgate.turn.relay import ClientTransport, RelayTransport
from headgate.turn.request import Outgoing, Request
from headgate.turn.stun.address import TransportAddress, xor_address
from headgate.turn.stun.answer import Answer
from headgate.turn.stun.attribute import Attribute
from headgate.turn.stun.message import MessageClass, Method
from headgate.turn.wing import Wing

__all__ = ["Connections"]

BIND_WITHIN = 30.0
"""Seconds in which a client must take up a connection (RFC 6062 5.4). The engine keeps the time."""


@dataclass(frozen=True, slots=True)
class _Unbound:
    """A connection to a peer that nobody carries yet."""

    handle: int
    allocation: Allocation
    peer: TransportAddress


class Connections:
    """Those that are being made, and those that wait for ConnectionBind."""

    def __init__(self) -> None:
        self._asked: dict[int, Request] = {}
        self._unbound: dict[int, _Unbound] = {}

    def connect(self, wing: Wing, request: Request) -> None:
        """5.2. The answer comes when the connection stands, or does not. Raises Refusal."""
        allocation = request.own_allocation()
        if allocation.transport is not RelayTransport.TCP:
            raise Refusal(ErrorCode.FORBIDDEN, "the allocation relays no TCP")
        if not request.message.peers:
            raise Refusal(ErrorCode.BAD_REQUEST, "XOR-PEER-ADDRESS is missing")
        peer = wing.peer(request.message.peers[0], request, allocation)
        if peer in allocation.connections.values():
            raise Refusal(ErrorCode.CONNECTION_ALREADY_EXISTS)
        if wing.is_beside_relayed(peer, transport=RelayTransport.TCP):
            raise Refusal(ErrorCode.FORBIDDEN)
        if wing.own_listeners.has(peer):
            wing.events.append(PeerDenied(allocation, peer))
            raise Refusal(ErrorCode.FORBIDDEN)
        try:
            handle = wing.relay.connect(allocation.handle, peer)
        except OSError as error:
            if is_shortage(error):
                raise Refusal(ErrorCode.INSUFFICIENT_CAPACITY, "no descriptor is left for it") from None
            raise Refusal(ErrorCode.CONNECTION_TIMEOUT_OR_FAILURE, str(error)) from None
        allocation.connections[handle] = peer
        self._asked[handle] = request

    def connected(
        self, wing: Wing, allocation: Allocation, handle: int, peer: TransportAddress, *, incoming: bool
    ) -> Outgoing:
        """It stands: the client is told its CONNECTION-ID, in an answer or in an indication (5.3)."""
        identity = self._identify(handle, allocation, peer)
        if incoming:
            allocation.connections[handle] = peer
            transaction = secrets.token_bytes(12)
            attempt = Answer(Method.CONNECTION_ATTEMPT, MessageClass.INDICATION, transaction)
            attempt.add_number(Attribute.CONNECTION_ID, identity)
            attempt.add(Attribute.XOR_PEER_ADDRESS, xor_address(peer.host, peer.port, transaction))
            return Outgoing(allocation.five_tuple, attempt.finish())
        request = self._asked.pop(handle)
        answer = request.success().add_number(Attribute.CONNECTION_ID, identity)
        return Outgoing(request.five_tuple, request.finish(answer))

    def bind(self, wing: Wing, request: Request) -> tuple[Answer, int]:
        """5.4: this connection carries that one from now on. Raises Refusal."""
        if not ClientTransport(request.five_tuple.transport).is_stream or request.allocation is not None:
            raise Refusal(ErrorCode.BAD_REQUEST, "a connection of its own is needed")
        value = request.message.attributes.get(Attribute.CONNECTION_ID)
        if value is None or len(value) != 4:
            raise Refusal(ErrorCode.BAD_REQUEST, "CONNECTION-ID is missing")
        unbound = self._unbound.get(int.from_bytes(value))
        if unbound is None or unbound.allocation.name != request.known().name:
            raise Refusal(ErrorCode.BAD_REQUEST, "no connection of this user has this id")
        del self._unbound[int.from_bytes(value)]
        return request.success(), unbound.handle

    def closed(self, handle: int) -> Outgoing | None:
        """A peer's connection is gone; what to tell a client that still waits for it."""
        self._unbound = {key: one for key, one in self._unbound.items() if one.handle != handle}
        request = self._asked.pop(handle, None)
        if request is None:
            return None
        refusal = Refusal(ErrorCode.CONNECTION_TIMEOUT_OR_FAILURE)
        return Outgoing(request.five_tuple, request.finish(request.error(refusal)))

    def _identify(self, handle: int, allocation: Allocation, peer: TransportAddress) -> int:
        while True:
            identity = secrets.randbits(32)
            if identity and identity not in self._unbound:
                self._unbound[identity] = _Unbound(handle, allocation, peer)
                return identity
