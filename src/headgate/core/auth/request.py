"""What somebody wants to do, and what they say to be allowed to."""

from __future__ import annotations

import ipaddress
import uuid
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import parse_qs

from headgate.core.config.choices import AuthAction as Action

__all__ = ["Action", "Proof", "Request", "address"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
QUERY_FIELDS = 64  # more than anybody's player sends; parsing is bounded by it


class Proof(Protocol):
    """Shows that a client knows a password, without the password (Digest)."""

    @property
    def user(self) -> str: ...

    def proves(self, *, password: str) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Compared by value: the same question has the same answer for a while. Its `repr` has no secret."""

    action: Action
    path: str = ""
    """As it is served: decoded, without a slash at its ends. "" where the action is about no path."""
    query: str = field(default="", repr=False)
    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    """Of `Authorization: Bearer`."""
    proof: Proof | None = field(default=None, repr=False)
    ip: str
    """The client's, a literal without port."""
    protocol: str
    """"rtsp", "rtsps", …; "http" at the operator's listener."""
    id: uuid.UUID | None = field(default=None, compare=False)
    """The connection's or session's."""

    @property
    def login(self) -> str:
        """The user name given, by whatever means."""
        return self.proof.user if self.proof is not None else self.user

    @property
    def anonymous(self) -> bool:
        """Whether no credentials came with it. A token in the query is one."""
        given = self.user or self.password or self.token or self.proof or self.token_in_query
        return not given

    @property
    def token_in_query(self) -> str:
        """`?jwt=`, where it is there once."""
        if "jwt=" not in self.query:
            return ""
        try:
            values = parse_qs(self.query, max_num_fields=QUERY_FIELDS).get("jwt", [])
        except ValueError:
            return ""
        return values[0] if len(values) == 1 else ""


def address(ip: str) -> Address | None:
    """An IPv4 address inside IPv6 is the IPv4 one. None for what is no address (a UNIX socket's peer)."""
    try:
        parsed = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed
