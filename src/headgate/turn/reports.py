"""What the wing tells the bus, in the words of seed 000."""

from __future__ import annotations

from typing import TypedDict

from headgate.core.events import (
    Event,
    RelayAllocated,
    RelayChannelBound,
    RelayClosed,
    RelayPeerDenied,
    RelayPermitted,
    RelayRefreshed,
)
from headgate.core.session import SessionId
from headgate.turn.events import (
    Allocated,
    ChannelBound,
    PeerDenied,
    PermissionsCreated,
    Refreshed,
    Released,
    TurnEvent,
)
from headgate.turn.session import TurnSession

__all__ = ["closed", "report"]


class _Names(TypedDict):
    session: SessionId
    service: str
    address: str
    interface: str
    transport: str
    username: str


def report(event: TurnEvent, session: TurnSession) -> Event | None:
    """None: nobody outside is told of it."""
    names = _names(session)
    match event:
        case Allocated(allocation):
            return RelayAllocated(
                **names,
                relayed=(session.target or "", *(str(port.relayed) for port in allocation.relays[1:])),
                port=allocation.relays[0].port,
            )
        case ChannelBound(_, number, peer):
            return RelayChannelBound(**names, channel=number, peer=str(peer))
        case PermissionsCreated(_, peers):
            return RelayPermitted(
                **names,
                ports=tuple(dict.fromkeys(peer.port for peer in peers)),
                peers=tuple(str(peer) for peer in peers),
            )
        case Refreshed(_, lifetime):
            return RelayRefreshed(**names, lifetime=lifetime)
        case Released():
            return RelayRefreshed(**names, lifetime=0)  # after its end, as turn-rs has it
        case PeerDenied(allocation, peer) if allocation.is_news(peer.host):
            return RelayPeerDenied(**names, peer=str(peer))
    return None


def closed(session: TurnSession) -> Event:
    return RelayClosed(**_names(session))


def _names(session: TurnSession) -> _Names:
    return {
        "session": session.id,
        "service": session.service.name,
        "address": str(session.remote),
        "interface": str(session.external),
        "transport": session.transport or "",
        "username": session.allocation.name,
    }
