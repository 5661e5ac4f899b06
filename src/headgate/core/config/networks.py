"""Addresses: networks in CIDR notation, and the "host:port" of a listener."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, PlainSerializer

__all__ = ["ListenAddress", "Network", "Networks", "parse_network"]

Network = IPv4Network | IPv6Network

CIDR = re.compile(r"[0-9a-fA-F:.]+(/[0-9]{1,3})?")
ADDRESS = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]*)\]|(?P<host>[^:\[\]/\s]*)):(?P<port>[0-9]{1,5})", re.ASCII)


def parse_network(text: str) -> Network:
    """A single address is the network of itself; an IPv4 address inside IPv6 is IPv4. Raises ValueError."""
    # ip_network alone would take netmasks ("10.0.0.0/255.0.0.0") and zones, which mean nothing here.
    if CIDR.fullmatch(text) is None:
        raise ValueError(f"unable to parse IP/CIDR '{text[:64]}'")
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"unable to parse IP/CIDR '{text[:64]}'") from None
    if isinstance(network, IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return IPv4Network((mapped, network.prefixlen - 96))
    return network


def _network(value: Any) -> Network:
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    if isinstance(value, str):
        return parse_network(value)
    raise ValueError("a network is text like 10.0.0.0/8")


def _texts(networks: tuple[Network, ...]) -> list[str]:
    return sorted(str(network) for network in networks)


Networks = Annotated[
    tuple[Annotated[Network, BeforeValidator(_network, json_schema_input_type=str)], ...],
    PlainSerializer(_texts, return_type=list[str]),
]
"""Printed normalised and sorted."""


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where a listener binds."""

    host: str
    """An IP literal. "::" means every interface, IPv4 as well."""
    port: int
    """0: any free one."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ":8554", "127.0.0.1:8554", "[::1]:8554" or "localhost:8554". Raises ValueError.

        Other host names are refused: what a name resolves to can change, and
        a listener would silently move.
        """
        match = ADDRESS.fullmatch(text)
        if match is None or int(match["port"]) > 65535:
            raise ValueError(f"invalid address '{text[:64]}'; write it like :8554 or 127.0.0.1:8554")
        host = match["v6"] if match["v6"] is not None else match["host"]
        if host in {"", "localhost"}:
            host = "127.0.0.1" if host else "::"
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise ValueError(
                f"invalid address '{text[:64]}': the host must be an IP address or localhost"
            ) from None
        return cls(host, int(match["port"]))
