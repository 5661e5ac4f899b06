"""Who sent a request that came through proxies."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.core.auth.request import address
from headgate.core.config.networks import Network

__all__ = ["UNKNOWN", "client_address", "is_in"]

UNKNOWN = "unknown"
"""What trusted proxies were told is no address. Not the proxy's own: that may have rights of its own."""


def client_address(peer: str, *, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """Behind trusted proxies, what the last of them was told. `forwarded`: the lines of X-Forwarded-For."""
    hops = [hop.strip() for line in forwarded for hop in line.split(",")]
    while hops and is_in(peer, trusted):
        peer = _ip(hops.pop())
    return peer if address(peer) is not None else UNKNOWN


def is_in(ip: str, networks: Sequence[Network]) -> bool:
    parsed = address(ip)
    return parsed is not None and any(parsed in network for network in networks)


def _ip(hop: str) -> str:
    """Some proxies write the port, too. A zone means nothing here, and may be any text."""
    host, bracket, _ = hop.removeprefix("[").partition("]")
    if not bracket and hop.count(":") == 1:
        host = hop.partition(":")[0]
    return host.partition("%")[0]
