"""Which addresses a source may have, wherever its URL came from (server-side request forgery).

Cameras live in private networks, so those are open to sources. What is refused is where no camera is, and
what only this machine, or the machine under it, can reach.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

from headgate.core.auth.request import address
from headgate.core.config.networks import Network
from headgate.core.service import Endpoint
from headgate.media.source import SourceFailed

__all__ = ["SourceAddresses"]

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

METADATA = frozenset(
    ipaddress.ip_address(text) for text in ("100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
)
"""Where clouds hand out the credentials of a machine, beside 169.254.169.254, which is link-local."""
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052; the last 32 bits are an IPv4 address


class SourceAddresses:
    """Asked for every connection, about the very address that is connected to."""

    def __init__(
        self, *, allowed: Callable[[], Sequence[Network]], operators: Callable[[], Collection[Endpoint]]
    ) -> None:
        """`allowed`: what sources may have all the same. `operators`: our listeners of HTTP."""
        self._allowed = allowed
        self._operators = operators

    def check(self, ip: str, *, port: int, host: str = "", written: bool) -> None:
        """Raises SourceFailed.

        `host`: the name that led to the address, if one did. `written`: whether an operator wrote this host
        into the configuration; a client's path or another server may have named it otherwise.
        """
        parsed = address(ip)
        if parsed is None:
            raise SourceFailed(f"{ip} is no address")
        if any(parsed in network for network in self._allowed()):
            return
        reason = self._reason(
            _inner(parsed), ip, port=port, local=written and _names_this_machine(host or ip)
        )
        if reason is not None:
            raise SourceFailed(f"sources are not fetched from {ip}: {reason} (sourceNetworks would allow it)")

    def _reason(self, ip: Address, literal: str, *, port: int, local: bool) -> str | None:
        if ip.is_link_local or ip in METADATA:
            return "it is link-local, or a cloud's metadata service"
        if ip.is_loopback:
            if not local:
                return "it is this machine, which the configuration does not name"
        elif ip.is_unspecified or ip.is_multicast or ip.is_reserved:
            return "it is no host's address"
        if any(port == one.port for one in self._operators()) and (ip.is_loopback or _is_ours(literal)):
            return "it is the operator's listener"
        return None


def _inner(ip: Address) -> Address:
    """Through the ways of writing an IPv4 address as an IPv6 one."""
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.sixtofour is not None:
            return ip.sixtofour
        if ip in NAT64:
            return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip


def _names_this_machine(host: str) -> bool:
    """An address says what it is. A name that leads to this machine may have led elsewhere a moment ago."""
    return address(host) is not None or host.lower() in {"localhost", socket.gethostname().lower()}


def _is_ours(ip: str) -> bool:
    """Whether an interface of this machine has it."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((ip.partition("%")[0], 0))
    except OSError:
        return False
    return True
