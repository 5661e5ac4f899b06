"""What the machine tells its owner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from headgate.turn.allocation import Allocation
from headgate.turn.relay import FiveTuple
from headgate.turn.stun.address import TransportAddress

__all__ = [
    "Allocated",
    "ChannelBound",
    "CredentialWanted",
    "Moved",
    "PeerDenied",
    "PermissionsCreated",
    "Refreshed",
    "Released",
    "TurnEvent",
]


@dataclass(frozen=True, slots=True)
class Allocated:
    allocation: Allocation


@dataclass(frozen=True, slots=True)
class Refreshed:
    allocation: Allocation
    lifetime: int
    """Seconds from now; 0: it is released, and `Released` came before."""


@dataclass(frozen=True, slots=True)
class PermissionsCreated:
    allocation: Allocation
    peers: tuple[TransportAddress, ...]


@dataclass(frozen=True, slots=True)
class ChannelBound:
    allocation: Allocation
    number: int
    peer: TransportAddress


@dataclass(frozen=True, slots=True)
class PeerDenied:
    """The policy's doing. For logs and counters; a browser's candidates make many of these."""

    allocation: Allocation
    peer: TransportAddress


@dataclass(frozen=True, slots=True)
class Moved:
    """RFC 8016: it belongs to another five-tuple now."""

    allocation: Allocation
    before: FiveTuple


@dataclass(frozen=True, slots=True)
class Released:
    """The client has let it go."""

    allocation: Allocation


@dataclass(frozen=True, slots=True)
class CredentialWanted:
    """Another server has to be asked; answer with `TurnMachine.credential_known`."""

    name: str
    client: str
    """The client's IP."""


TurnEvent: TypeAlias = (
    Allocated
    | Refreshed
    | PermissionsCreated
    | ChannelBound
    | PeerDenied
    | Moved
    | Released
    | CredentialWanted
)
