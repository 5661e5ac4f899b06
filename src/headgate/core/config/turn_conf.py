"""The section `turn`: the STUN and TURN server."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any

from pydantic import AfterValidator, SecretStr, model_validator

from headgate.core.config.choices import Choice
from headgate.core.config.networks import ListenAddress, Networks
from headgate.core.config.scalars import Natural, Switch
from headgate.core.config.section import Section, key
from headgate.core.config.sizes import SizeLimit

__all__ = [
    "TurnConf",
    "TurnInterface",
    "TurnPeers",
    "TurnQuotas",
    "TurnRelayAddress",
    "TurnTransport",
]

SHORTEST_SECRET = 16  # characters
LONGEST_NAME = 508  # bytes, RFC 8489 14.3
LONGEST_REALM = 128  # characters, RFC 8489 14.9
RANGE = re.compile(r"([0-9]{1,5})-([0-9]{1,5})", re.ASCII)
LOWEST_PORT = 1024


class TurnTransport(Choice):
    """How clients reach an interface."""

    __complaint__ = "invalid transport '{}'"
    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"
    DTLS = "dtls"

    @property
    def is_encrypted(self) -> bool:
        return self in {TurnTransport.TLS, TurnTransport.DTLS}


def _listen(text: str) -> str:
    ListenAddress.parse(text)
    return text


def _ip(text: str) -> str:
    if not text:
        return text
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"'{text[:64]}' is no IP address") from None
    if address.is_unspecified or address.is_multicast or "%" in text:
        raise ValueError(f"'{text}' is not the address of one machine")
    return str(address)


def _external(text: str) -> str:
    """An address, or address and port."""
    if text.count(":") == 1 or text.startswith("["):
        _ip(ListenAddress.parse(text).host)
        return text
    return _ip(text)


def _server(text: str) -> str:
    where = ListenAddress.parse(text)
    _ip(where.host)
    if not where.port:
        raise ValueError(f"'{text}' has no port")
    return text


def _secret(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < SHORTEST_SECRET:
        raise ValueError(f"must have at least {SHORTEST_SECRET} characters")
    return value


def _password(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().isprintable() or not value.get_secret_value():
        raise ValueError("a password is not empty and has no control characters")
    return value


def _name(text: str) -> str:
    if not text or not text.isprintable() or len(text.encode()) > LONGEST_NAME or ":" in text:
        raise ValueError(f"a user's name has 1 to {LONGEST_NAME} bytes, and no colon or control character")
    return text


def _realm(text: str) -> str:
    if not text or not text.isprintable() or len(text) > LONGEST_REALM or '"' in text:
        raise ValueError(f"a realm has 1 to {LONGEST_REALM} characters, and no quote or control character")
    return text


def _range(text: str) -> str:
    match = RANGE.fullmatch(text)
    if match is None or not LOWEST_PORT <= int(match[1]) < int(match[2]) <= 65535:
        raise ValueError(f"a range of ports is text like 49152-65535, from {LOWEST_PORT} on")
    return text


class TurnInterface(Section):
    transport: TurnTransport = key("transport", "how clients come: udp, tcp, tls or dtls", default=...)
    bind: Annotated[str, AfterValidator(_listen)] = key("bind", "where it listens", default=...)
    external: Annotated[str, AfterValidator(_external)] = key(
        "external",
        "how clients reach it through NAT: an address, with or without port",
        default="",
    )
    cert: str = key(
        "cert",
        "tls and dtls: certificate chain (PEM file), of which dtls sends the first",
        default="server.crt",
    )
    key: str = key("key", "tls and dtls: private key (PEM file); dtls takes ECDSA only", default="server.key")


class TurnRelayAddress(Section):
    """Text alone is the address."""

    address: Annotated[str, AfterValidator(_ip)] = key("address", "relay ports are bound to it", default=...)
    external: Annotated[str, AfterValidator(_ip)] = key(
        "external", "how peers reach it, where that is another address (NAT)", default=""
    )

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"address": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> TurnRelayAddress:
        if self.external and (":" in self.external) != (":" in self.address):
            raise ValueError("external is of another family than address")
        return self


class TurnPeers(Section):
    allow: Networks = key(
        "allow", "networks that may be relayed to, though they are not the public Internet", default=()
    )
    deny: Networks = key("deny", "networks that may not; wins over allow", default=())


class TurnQuotas(Section):
    """0 is no limit."""

    allocations: Natural = key("allocations", "allocations at once", default=20_000)
    allocations_per_user: Natural = key("allocationsPerUser", "of one user", default=100)
    allocations_per_address: Natural = key("allocationsPerAddress", "of one client address", default=200)
    new_allocations_per_second: Natural = key(
        "newAllocationsPerSecond", "of one client address; five seconds' worth may come at once", default=20
    )
    permissions_per_allocation: Natural = key("permissionsPerAllocation", "of one allocation", default=64)
    channels_per_allocation: Natural = key("channelsPerAllocation", "channels of one allocation", default=64)
    bytes_per_second: SizeLimit = key(
        "bytesPerSecond", "of one allocation, both ways together; more is dropped", default=16 * 1024**2
    )
    answers_per_second: Natural = key(
        "answersPerSecond",
        "to one client address that has shown no password; five seconds' worth may come at once",
        default=100,
    )


UserName = Annotated[str, AfterValidator(_name)]
Password = Annotated[SecretStr, AfterValidator(_password)]
Secret = Annotated[SecretStr, AfterValidator(_secret)]
Server = Annotated[str, AfterValidator(_server)]

DEFAULT_INTERFACES = tuple(
    TurnInterface.model_validate({"transport": transport, "bind": ":3478"}) for transport in ("udp", "tcp")
)


class TurnConf(Section):
    realm: Annotated[str, AfterValidator(_realm)] = key(
        "realm", "part of every user's key; short, because strangers are answered with it", default="gate"
    )
    interfaces: tuple[TurnInterface, ...] = key(
        "interfaces", "where it listens; empty: there is no STUN and TURN server", default=DEFAULT_INTERFACES
    )
    relay_addresses: tuple[TurnRelayAddress, ...] = key(
        "relayAddresses",
        "addresses that are relayed from, the first of each family;"
        " empty: the one at which the client reached us",
        default=(),
    )
    relay_port_range: Annotated[str, AfterValidator(_range)] = key(
        "relayPortRange", "ports that are relayed from, both ends included", default="49152-65535"
    )
    users: dict[UserName, Password] = key("users", "user names and their passwords", default={})
    auth_secrets: tuple[Secret, ...] = key(
        "authSecrets",
        "shared secrets of time-limited credentials, the first is what is minted with;"
        " empty: one is made and kept in the state directory",
        default=(),
    )
    auth_http_address: str = key(
        "authHTTPAddress", "URL that is asked for the password of a user who is not among users", default=""
    )
    strict_expiry: Switch = key(
        "strictExpiry", "a credential that has run out refreshes nothing, either", default=False
    )
    peers: TurnPeers = key("peers", "who may be relayed to", default=TurnPeers())
    quotas: TurnQuotas = key("quotas", "how much of everything", default=TurnQuotas())
    compatible_channels: Switch = key(
        "compatibleChannels", "allow the channels 0x5000 to 0x7FFF of RFC 5766 too", default=False
    )
    mobility: Switch = key(
        "mobility", "let clients take their allocation to another address or transport", default=False
    )
    tcp_relay: Switch = key("tcpRelay", "relay TCP connections too", default=False)
    alternate_servers: tuple[Server, ...] = key(
        "alternateServers", "send whoever wants an allocation to these instead, in turn", default=()
    )

    @model_validator(mode="after")
    def _check(self) -> TurnConf:
        if self.auth_http_address and not self.auth_http_address.startswith(("http://", "https://")):
            raise ValueError("authHTTPAddress must be a HTTP URL")
        places = [(interface.transport, interface.bind) for interface in self.interfaces]
        fixed = [place for place in places if not place[1].endswith(":0")]
        if len(set(fixed)) < len(fixed):
            raise ValueError("interfaces: two of them listen at the same place")
        return self

    @property
    def relay_ports(self) -> range:
        first, _, last = self.relay_port_range.partition("-")
        return range(int(first), int(last) + 1)
