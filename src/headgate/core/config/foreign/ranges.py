"""coturn's peer ranges as ours: there what is allowed wins over what is denied, here it loses."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from headgate.core.config.networks import Network, parse_network

__all__ = ["TooMany", "parse_range", "without"]

MOST = 4096
"""Networks of one side. A range may be 254 of them, and each that is taken out of another, 127 more."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class TooMany(Exception):
    """More networks than anybody writes down."""


def parse_range(text: str) -> list[Network]:
    """ "10.0.0.0-10.255.255.255", one address, or CIDR. Raises ValueError."""
    first, dash, last = text.partition("-")
    if not dash:
        return [parse_network(text.strip())]
    low, high = ipaddress.ip_address(first.strip()), ipaddress.ip_address(last.strip())
    if isinstance(low, ipaddress.IPv4Address) and isinstance(high, ipaddress.IPv4Address):
        return list(ipaddress.summarize_address_range(low, high))
    if isinstance(low, ipaddress.IPv6Address) and isinstance(high, ipaddress.IPv6Address):
        return list(ipaddress.summarize_address_range(low, high))
    raise ValueError("an address of each family")


def without(networks: Iterable[Network], excluded: Sequence[Network]) -> list[Network]:
    """What is left of the networks. Raises TooMany."""
    left = _collapsed(networks)
    for hole in _collapsed(excluded):
        left = [part for network in left for part in _minus(network, hole)]
        if len(left) > MOST:
            raise TooMany
    return _collapsed(left)


def _minus(network: Network, hole: Network) -> list[Network]:
    if isinstance(network, ipaddress.IPv4Network) and isinstance(hole, ipaddress.IPv4Network):
        if not network.overlaps(hole):
            return [network]
        return [] if network.subnet_of(hole) else list(network.address_exclude(hole))
    if isinstance(network, ipaddress.IPv6Network) and isinstance(hole, ipaddress.IPv6Network):
        if not network.overlaps(hole):
            return [network]
        return [] if network.subnet_of(hole) else list(network.address_exclude(hole))
    return [network]


def _collapsed(networks: Iterable[Network]) -> list[Network]:
    """Raises TooMany."""
    v4: list[ipaddress.IPv4Network] = []
    v6: list[ipaddress.IPv6Network] = []
    for network in networks:
        if isinstance(network, ipaddress.IPv4Network):
            v4.append(network)
        else:
            v6.append(network)
    found: list[Network] = [*ipaddress.collapse_addresses(v4), *ipaddress.collapse_addresses(v6)]
    if len(found) > MOST:
        raise TooMany
    return found
