"""The server's side of STUN and TURN, without a socket, clock or task (RFC 8489 6.3, RFC 8656 5).

Requests go in with the time; answers come out of `to_send`, what happened out of `events`. The engine
checks headers, moves data and keeps time; `Relay` is all this knows of it.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from headgate.core.config.turn_conf import TurnConf
from headgate.engine import AddressBudget, Challenge
from headgate.turn.allocate import allocate
from headgate.turn.allocation import Allocation
from headgate.turn.authentication import Pending, authenticate
from headgate.turn.binding import bind, other_address
from headgate.turn.connect import Connections
from headgate.turn.credentials import Credentials, Remembered
from headgate.turn.events import CredentialWanted, PeerDenied, TurnEvent, Vouched
from headgate.turn.nonce import Nonces
from headgate.turn.own_listeners import OwnListeners
from headgate.turn.peers import PeerPolicy
from headgate.turn.permission import bind_channel, create_permission
from headgate.turn.policy_change import follow_policy, judge_again
from headgate.turn.ports import RelayPorts
from headgate.turn.quotas import Quotas
from headgate.turn.refresh import refresh
from headgate.turn.refusal import ErrorCode, Refusal
from headgate.turn.relay import ClientTransport, FiveTuple, Relay, RelayAddress, RelayTransport
from headgate.turn.request import Identity, Outgoing, Request
from headgate.turn.standing_challenge import standing_challenge
from headgate.turn.stun.address import Family, TransportAddress, family_of
from headgate.turn.stun.answer import Answer
from headgate.turn.stun.attribute import OF_DISCOVERY, Attribute
from headgate.turn.stun.message import HEADER_SIZE, Message, MessageClass, Method
from headgate.turn.wing import Wing

__all__ = ["WAITING_NAMES", "TurnMachine"]

Decision = Callable[[Wing, Request], Answer]

DECISIONS: dict[int, Decision] = {
    Method.ALLOCATE: allocate,
    Method.REFRESH: refresh,
    Method.CREATE_PERMISSION: create_permission,
    Method.CHANNEL_BIND: bind_channel,
}
OF_TCP = frozenset({int(Method.CONNECT), int(Method.CONNECTION_BIND)})
WAITING_NAMES = 256
WAITING_EACH = 4
"""Requests that wait for another server's word about a name; a client that is not answered asks again."""


class TurnMachine:
    def __init__(
        self,
        relay: Relay,
        *,
        settings: TurnConf,
        credentials: Credentials,
        now: float,
        wall: Callable[[], float],
        listeners: Sequence[TransportAddress] = (),
        own_listeners: OwnListeners | None = None,
    ) -> None:
        """`now` is monotonic, `wall` tells Unix time.

        `listeners`: where UDP clients reach us, if answers can be sent from any of them (RFC 5780).
        """
        self._wing = Wing(
            settings=settings,
            credentials=credentials,
            nonces=Nonces(now=now),
            ports=RelayPorts(relay, settings.relay_ports),
            quotas=Quotas(settings.quotas),
            policy=_policy(settings),
            relay=relay,
            wall=wall,
            listeners=tuple(listeners),
            relays=_relays(settings),
            own_listeners=own_listeners or OwnListeners(list),
        )
        self._budget = AddressBudget(per_second=settings.quotas.answers_per_second)
        self._connections = Connections()
        self._out: list[Outgoing] = []
        self._waiting: dict[str, list[tuple[FiveTuple, Message]]] = {}
        self.refusals: Counter[ErrorCode] = Counter()
        """Requests answered with an error, since the start."""
        self.dropped = 0
        """Messages that were none, or nothing to answer."""

    # Who looks

    @property
    def allocations(self) -> Sequence[Allocation]:
        """Those that live, oldest first."""
        return list(self._wing.by_handle.values())

    def allocation(self, handle: int) -> Allocation | None:
        return self._wing.by_handle.get(handle)

    def by_five_tuple(self, five_tuple: FiveTuple) -> Allocation | None:
        return self._wing.by_five_tuple.get(five_tuple)

    @property
    def usage(self) -> dict[str, int]:
        """Allocations by user."""
        return self._wing.quotas.usage()

    @property
    def ports_taken(self) -> int:
        return self._wing.ports.taken

    @property
    def ports_capacity(self) -> int:
        """Of each relay address."""
        return len(self._wing.ports.ports)

    @property
    def relay_addresses(self) -> int:
        """How many are relayed from, or will be."""
        return max(len(self._wing.settings.relay_addresses), self._wing.ports.addresses, 1)

    @property
    def quota_refusals(self) -> Mapping[str, int]:
        """By the quota's key in the configuration, since the start."""
        return self._wing.quotas.refusals

    @property
    def moves(self) -> Mapping[str, int]:
        """What became of mobility tickets, by `ticket.Outcome`, since the start."""
        return self._wing.moves

    @property
    def unanswered(self) -> int:
        """Requests of strangers past their address's budget."""
        return self._budget.refused

    @property
    def credentials(self) -> Credentials:
        return self._wing.credentials

    # In

    def receive(self, five_tuple: FiveTuple, message: Message, *, now: float) -> None:
        """One message from a client, whose FINGERPRINT holds. Raises nothing, whatever is in it."""
        if message.message_class != MessageClass.REQUEST:
            self.dropped += 1  # RFC 8489 6.3: answers and indications are not answered
            return
        wing = self._wing
        request = Request(five_tuple, message, now, wing.by_five_tuple.get(five_tuple))
        try:
            answer = self._answer(request)
        except Refusal as refusal:
            self.refusals[refusal.code] += 1
            if request.allocation is not None:
                request.allocation.errors += 1
            answer = request.error(refusal)
        except Pending as pending:
            self._wait(pending.name, request)
            return
        if wing.policy.has_learnt:
            judge_again(wing, now=now)
        if answer is None:
            return
        if request.identity is None and not self._budget.admits(five_tuple.client_host, now=now):
            return
        self._out.append(Outgoing(five_tuple, request.finish(answer), request.source, request.port))

    def _answer(self, request: Request) -> Answer | None:
        """None: there is no answer, or not yet. Raises Refusal, Pending."""
        wing, message = self._wing, request.message
        method = message.method
        if method == Method.BINDING:
            self._check_understood(request, discovery=bool(wing.listeners))
            return bind(wing, request)
        decision = DECISIONS.get(method)
        if decision is None and method not in OF_TCP:
            self.dropped += 1
            return None
        if len(message.data) == HEADER_SIZE and request.five_tuple.transport == ClientTransport.UDP:
            # Nobody's client sends a bare header, but the answer would be four times as long (S-06).
            self.dropped += 1
            return None
        request.identity = self._authenticate(request)
        self._check_understood(request)
        if decision is not None:
            return decision(wing, request)
        if not wing.settings.tcp_relay:
            raise Refusal(ErrorCode.UNSUPPORTED_TRANSPORT)
        if method == Method.CONNECT:
            self._connections.connect(wing, request)
            return None
        answer, connection = self._connections.bind(wing, request)
        self._out.append(Outgoing(request.five_tuple, request.finish(answer), join=connection))
        return None

    def _authenticate(self, request: Request) -> Identity:
        """Raises Refusal, Pending."""
        wing, allocation = self._wing, request.allocation
        known = allocation.credential_expires if allocation is not None else None
        try:
            identity = authenticate(
                request,
                credentials=wing.credentials,
                nonces=wing.nonces,
                wall=wing.wall(),
                strict=wing.settings.strict_expiry,
                ask=bool(wing.settings.auth_http_address),
            )
        finally:
            if allocation is not None and allocation.credential_expires != known:
                wing.events.append(Vouched(allocation))
        if identity.stale:
            self._ask_about(identity.name, request)
        return identity

    def _check_understood(self, request: Request, *, discovery: bool = False) -> None:
        """RFC 8489 6.3.1, after authentication."""
        unknown = request.message.unknown
        if not unknown:
            return
        if discovery and other_address(self._wing, request.five_tuple) is not None:
            unknown = [kind for kind in unknown if kind not in OF_DISCOVERY]
        if unknown:
            types = struct.pack(f">{len(unknown)}H", *unknown)
            raise Refusal(ErrorCode.UNKNOWN_ATTRIBUTE, attributes=((Attribute.UNKNOWN_ATTRIBUTES, types),))

    # Another server's word

    def _ask_about(self, name: str, request: Request) -> list[tuple[FiveTuple, Message]] | None:
        """Who waits for the answer; None: too many names are asked about. Strangers' ones are bounded, those
        of whom something was said before are by what is remembered.
        """
        waiting = self._waiting.get(name)
        if waiting is None:
            if len(self._waiting) >= WAITING_NAMES and name not in self._wing.credentials.remembered:
                return None
            waiting = self._waiting[name] = []
            self._wing.events.append(CredentialWanted(name, request.five_tuple.client_host))
        return waiting

    def _wait(self, name: str, request: Request) -> None:
        waiting = self._ask_about(name, request)
        if waiting is not None and len(waiting) < WAITING_EACH:
            waiting.append((request.five_tuple, request.message))
        else:
            self.dropped += 1

    def credential_known(self, name: str, said: Remembered | None, *, now: float) -> None:
        """Who waited is answered now. None: nobody could be asked; they are not answered, and ask again."""
        waiting = self._waiting.pop(name, [])
        if said is None:
            return
        self._wing.credentials.remember(name, said)
        for five_tuple, message in waiting:
            self.receive(five_tuple, message, now=now)

    # What the engine tells

    def ended(self, handle: int) -> Allocation | None:
        """An allocation is gone: it has run out, or its connection has. None: it was known before."""
        allocation = self._wing.by_handle.get(handle)
        if allocation is None or not self._wing.remove(allocation):
            return None
        return allocation

    def peer_connected(self, handle: int, connection: int, peer: TransportAddress, *, incoming: bool) -> None:
        """RFC 6062: a connection between a TCP allocation and a peer stands."""
        allocation = self._wing.by_handle.get(handle)
        if allocation is None:
            return
        if incoming and self._wing.is_beside_relayed(peer, transport=RelayTransport.TCP):
            self._wing.events.append(PeerDenied(allocation, peer))
            self._wing.relay.hang_up(connection)
            return
        self._out.append(
            self._connections.connected(self._wing, allocation, connection, peer, incoming=incoming)
        )

    def peer_closed(self, handle: int, connection: int) -> None:
        allocation = self._wing.by_handle.get(handle)
        if allocation is not None:
            allocation.connections.pop(connection, None)
        answer = self._connections.closed(connection)
        if answer is not None:
            self._out.append(answer)

    def challenge(self, *, now: float) -> Challenge:
        """What the engine may answer by itself from now on; another one follows each `follow`."""
        wing = self._wing
        methods = [*DECISIONS, *sorted(OF_TCP)]
        return standing_challenge(wing.credentials, wing.nonces, self._budget, methods=methods, now=now)

    # What operators do

    def close(self, allocation: Allocation) -> bool:
        """End it now. False: it was gone."""
        if not self._wing.remove(allocation):
            return False
        self._wing.relay.close(allocation.handle)
        return True

    def drain(self) -> None:
        """No new allocations; those that live may be refreshed."""
        self._wing.draining = True

    def resume(self) -> None:
        """After `drain`: new ones again."""
        self._wing.draining = False

    def follow(self, settings: TurnConf, credentials: Credentials, *, now: float) -> None:
        """Decide by these from now on. What was granted stays, but for peers that `turn.peers` denies now."""
        wing = self._wing
        if wing.settings.auth_http_address == settings.auth_http_address:
            credentials.remembered = wing.credentials.remembered
        if wing.settings.peers != settings.peers or wing.settings.relay_addresses != settings.relay_addresses:
            follow_policy(wing, _policy(settings), now=now)
        wing.settings, wing.credentials = settings, credentials
        wing.relays = _relays(settings)
        wing.ports.ports = settings.relay_ports
        wing.quotas.follow(settings.quotas)
        self._budget.per_second = settings.quotas.answers_per_second

    def listening(
        self,
        externals: Mapping[str, str],
        *,
        hosts: Collection[str] = (),
        listeners: Sequence[TransportAddress] = (),
    ) -> None:
        """What our addresses are called outside, by the address; "" stands for all the others.

        `hosts`: those where clients reach us, as far as they are known. `listeners`: as for the constructor.
        """
        wing = self._wing
        wing.externals = externals
        wing.policy.outside = frozenset(externals.values())
        wing.listeners = tuple(listeners)
        if not wing.relays:
            # There we relay from: nobody is permitted more of them before the first allocation than after.
            for host in {*hosts, *externals.values()}:
                wing.policy.add_relay(host)

    # Out

    def to_send(self) -> list[Outgoing]:
        out, self._out = self._out, []
        return out

    def events(self) -> list[TurnEvent]:
        events, self._wing.events = self._wing.events, []
        return events

    def deadline(self) -> float | None:
        """When `expire` has something to do: a reserved port that nobody came for."""
        return self._wing.ports.deadline()

    def expire(self, now: float) -> None:
        self._wing.expire(now)

    def shut(self) -> None:
        """Let go of what is reserved. Allocations are their sessions' to end."""
        self._wing.expire(float("inf"))


def _relays(settings: TurnConf) -> dict[Family, RelayAddress]:
    relays: dict[Family, RelayAddress] = {}
    for each in settings.relay_addresses:
        relays.setdefault(family_of(each.address), RelayAddress(each.address, each.external or each.address))
    return relays


def _policy(settings: TurnConf) -> PeerPolicy:
    relays = [
        host for each in settings.relay_addresses for host in (each.address, each.external or each.address)
    ]
    return PeerPolicy(allow=settings.peers.allow, deny=settings.peers.deny, relays=relays)
