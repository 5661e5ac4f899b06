"""What the machine tells its owner."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

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
    "Vouched",
]


class Allocated(Struct, frozen=True):
    allocation: Allocation


class Refreshed(Struct, frozen=True):
    allocation: Allocation
    lifetime: int
    """Seconds from now."""


class PermissionsCreated(Struct, frozen=True):
    allocation: Allocation
    peers: tuple[TransportAddress, ...]


class ChannelBound(Struct, frozen=True):
    allocation: Allocation
    number: int
    peer: TransportAddress


class PeerDenied(Struct, frozen=True):
    """The policy's doing. For logs and counters; a browser's candidates make many of these."""

    allocation: Allocation
    peer: TransportAddress


class Moved(Struct, frozen=True):
    """RFC 8016: it belongs to another five-tuple now."""

    allocation: Allocation
    before: FiveTuple


class Released(Struct, frozen=True):
    """The client has let it go."""

    allocation: Allocation


class Vouched(Struct, frozen=True):
    """The credential that its client uses ends at another time than the one before."""

    allocation: Allocation


class CredentialWanted(Struct, frozen=True):
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
    | Vouched
    | CredentialWanted
)
