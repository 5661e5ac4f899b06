"""The one gate in front of every peer: permission, channel, Send, Connect (turn.md section 4, S-01).

An address is reduced first: IPv4 that hides inside IPv6 is judged as IPv4. Ranges are compared as numbers.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable
from ipaddress import IPv4Address as IPv4
from ipaddress import IPv6Address as IPv6

from headgate.core.config.networks import Network

__all__ = ["DENIED", "PeerPolicy", "canonical", "forms"]


DENIED: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "2001::/23",  # Teredo among them
        "2001:db8::/32",
        "3fff::/20",
    )
)
"""By default: what is not the public Internet. Of IPv6, that is also what is not within `GLOBAL`."""
GLOBAL = ipaddress.IPv6Network("2000::/3")
"""All of the unicast addresses that IANA has given out, but for NAT64's."""
NO_MACHINE: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in ("0.0.0.0/32", "224.0.0.0/4", "255.255.255.255/32", "::/128", "fe80::/10", "ff00::/8")
)
"""What no configuration opens: the engine sends nothing there, as these are many machines, or none without
the name of an interface.
"""
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
NAT64_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")
TRANSLATED = 0xFFFF0000
"""What is before the address in an IPv4-translated one, ::ffff:0:a.b.c.d (RFC 2765 2.1)."""
ISATAP = (0x00005EFE, 0x02005EFE)
"""The upper half of an ISATAP interface identifier (RFC 5214 6.1), with and without the universal bit."""
SEEN = 4096
"""Verdicts that are kept: calls between few peers are many requests."""


def forms(host: str) -> list[IPv4 | IPv6]:
    """The address and every IPv4 address that hides in it, each of which must be allowed.

    Raises ValueError for what is no address. A mapped address is nothing but its IPv4 one.
    """
    address = ipaddress.ip_address(host)
    if isinstance(address, IPv4):
        return [address]
    if address.scope_id is not None:
        raise ValueError("an address on the wire has no zone")
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    found: list[IPv4 | IPv6] = [address]
    number = int(address)
    low = number & 0xFFFFFFFF
    if number >> 32 == 0 and low > 1:  # IPv4-compatible; :: and ::1 are themselves
        found.append(IPv4(low))
    if number >> 32 == TRANSLATED:
        found.append(IPv4(low))
    if address.sixtofour is not None:
        found.append(address.sixtofour)
    if address.teredo is not None:
        found += address.teredo  # the server's and the client's
    if address in NAT64:
        found.append(IPv4(low))
    if address in NAT64_LOCAL:
        # RFC 6052 2.2: where the address begins depends on the length of the local prefix.
        octets = number.to_bytes(16)
        found.append(IPv4(low))
        found.append(IPv4(octets[6:8] + octets[9:11]))  # /48
        found.append(IPv4(octets[7:8] + octets[9:12]))  # /56
        found.append(IPv4(octets[9:13]))  # /64
    if (number >> 32) & 0xFFFFFFFF in ISATAP:
        found.append(IPv4(low))
    return found


class PeerPolicy:
    """Deny wins over allow, allow over what is denied by default; our own relayed addresses are for those who
    call each other through this server (S-48).
    """

    def __init__(
        self, *, allow: Iterable[Network] = (), deny: Iterable[Network] = (), relays: Collection[str] = ()
    ) -> None:
        self._allow = tuple(allow)
        self._deny = tuple(deny)
        self._relays = {canonical(host) for host in relays}
        self._own: set[str] = set()
        self.outside: frozenset[str] = frozenset()
        """Where clients reach us through NAT; may be exchanged. Such an address is as `add_own` has it."""
        self._seen: dict[str, bool] = {}
        self.has_learnt = False
        """Whether `add_relay` has told anything new; whoever judges by it what was granted before says no."""

    def add_relay(self, host: str) -> None:
        """It is an address that we relay from, or that peers see instead."""
        self.has_learnt |= host not in self._relays
        self._relays.add(host)

    def add_own(self, host: str) -> None:
        """Clients reach us there: what else listens at it may count on a firewall that we stand behind."""
        self._own.add(host)

    def take_over(self, former: PeerPolicy) -> None:
        """Know the addresses that it has learnt."""
        self._relays |= former._relays
        self._own |= former._own
        self.outside = former.outside

    def allows(self, host: str) -> bool:
        """Whether anything at this address may be sent to. Raises nothing, whatever the text.

        An address that we relay from is no exception: `allows_relayed` opens it a little.
        """
        if host in self._relays and self.allows_relayed(host):
            return False
        if (host in self._own or host in self.outside) and not _within(forms(host)[0], self._allow):
            return False
        verdict = self._seen.get(host)
        if verdict is None:
            verdict = self._judge(host)
            if len(self._seen) >= SEEN:
                self._seen.clear()
            self._seen[host] = verdict
        return verdict

    def allows_relayed(self, host: str) -> bool:
        """Whether it is an address we relay from, where nothing but relayed addresses may be reached: what
        else listens there is ours. `allow` opens that, deny closes all.
        """
        if host not in self._relays:  # who writes it in another form is judged like anybody
            return False
        (found,) = forms(host)[:1]
        return not _within(found, self._allow) and not _within(found, self._deny)

    def _judge(self, host: str) -> bool:
        try:
            found = forms(host)
        except ValueError:
            return False
        if ":" in host and found[0].version == 4:
            return False  # mapped: an IPv4 peer is reached from an IPv4 relay
        if any(_within(one, self._deny) or _within(one, NO_MACHINE) for one in found):
            return False
        return all(_within(one, self._allow) or _is_public(one) for one in found)


def _is_public(address: IPv4 | IPv6) -> bool:
    if isinstance(address, IPv6) and address not in GLOBAL and address not in NAT64:
        return False
    return not _within(address, DENIED)


def _within(address: IPv4 | IPv6, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def canonical(host: str) -> str:
    """An IP literal in its shortest form, IPv4 where it is mapped. Raises ValueError."""
    return str(forms(host)[0])
