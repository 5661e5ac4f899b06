"""Where this server itself takes connections: nobody's peer, whatever `turn.peers` opens (S-01).

Of datagrams the engine knows it, packet by packet. A connection (RFC 6062 Connect) would come from this
machine, which the operator's listener believes more than others.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable

from headgate.core.service import Endpoint
from headgate.turn.stun.address import Family, TransportAddress, family_of

__all__ = ["EVERYWHERE", "OwnListeners", "is_here"]

EVERYWHERE = frozenset({"::", "0.0.0.0"})  # noqa: S104 (compared with, not bound)


class OwnListeners:
    def __init__(self, listeners: Callable[[], Iterable[Endpoint]]) -> None:
        """`listeners`: all of them now, of every wing and the operator's, as bound or as known outside."""
        self._listeners = listeners

    def has(self, peer: TransportAddress) -> bool:
        hosts = {one.host for one in self._listeners() if one.port == peer.port}
        return peer.host in hosts or (not hosts.isdisjoint(EVERYWHERE) and is_here(peer.host))


def is_here(host: str) -> bool:
    """Whether an interface of this machine has the address."""
    family = socket.AF_INET6 if family_of(host) is Family.IPV6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return True
