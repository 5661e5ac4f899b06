"""Documents of the relay's dialect: the keys of seed 000 first; what is beyond it stands last."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

__all__ = [
    "Binding",
    "Credential",
    "CredentialWish",
    "Drain",
    "Info",
    "Interface",
    "Peer",
    "RelaySession",
    "RelaySessions",
    "RelayUser",
    "RelayUsers",
    "SessionTraffic",
    "Statistics",
]

Scheme = Literal["udp", "tcp", "tls", "dtls"]


class Interface(TypedDict):
    transport: Annotated[Literal[0, 1], Field(description="0 is UDP, 1 is TCP.")]
    bind: Annotated[str, Field(description="Where it listens: `0.0.0.0:3478`.")]
    external: Annotated[str, Field(description="As clients outside know it; `bind` where nobody says.")]
    scheme: Annotated[Scheme, Field(description="`dtls` goes over 0, `tls` over 1.")]


class Info(TypedDict):
    software: Annotated[str, Field(description="`headgate.` and the version.")]
    uptime: Annotated[int, Field(description="Seconds.")]
    port_allocated: Annotated[int, Field(description="Relay ports that are bound, reserved ones too.")]
    port_capacity: Annotated[
        int, Field(description="Relay ports of all addresses; 65535 stands for more. The range is inclusive.")
    ]
    interfaces: list[Interface]


class Peer(TypedDict):
    peer: Annotated[str, Field(description="As the client named it; the permission is for its address.")]
    expires: Annotated[int, Field(description="Seconds from now.")]


class Binding(TypedDict):
    channel: int
    peer: str
    expires: Annotated[int, Field(description="Seconds from now.")]


class RelaySession(TypedDict):
    address: Annotated[str, Field(description="The client's address and port.")]
    username: Annotated[str, Field(description="As the client gave it.")]
    channels: Annotated[list[int], Field(description="Channel numbers that are bound.")]
    port: Annotated[int, Field(description="The relayed port; of two, the first.")]
    expires: Annotated[int, Field(description="Seconds from now, unless it is refreshed.")]
    permissions: Annotated[
        list[int], Field(description="Ports of the peers that were named with a permission in force.")
    ]
    interface: Annotated[str, Field(description="Ours, as clients outside know it.")]
    transport: Annotated[Literal[0, 1], Field(description="0 is UDP, 1 is TCP.")]
    scheme: Scheme
    user: Annotated[str, Field(description="Whom quotas count for: the name without its expiry.")]
    relayed: Annotated[list[str], Field(description="Relayed addresses, one of each family.")]
    expires_at: Annotated[int, Field(description="The same as `expires`, as Unix time.")]
    peers: list[Peer]
    bindings: Annotated[list[Binding], Field(description="`channels` with their peers.")]
    id: Annotated[str, Field(description="Its number in `/v1`, where it can be looked at and shut as well.")]


class Statistics(TypedDict):
    """The client's side: whole datagrams (of TCP, messages), STUN and channel headers included."""

    received_bytes: Annotated[int, Field(description="From the client.")]
    send_bytes: Annotated[int, Field(description="To the client.")]
    received_pkts: int
    send_pkts: int
    error_pkts: Annotated[int, Field(description="Its requests that were answered with an error.")]


class SessionTraffic(RelaySession, Statistics):
    """A session with its statistics."""


class RelaySessions(TypedDict):
    itemCount: int
    pageCount: int
    items: list[SessionTraffic]


class RelayUser(TypedDict):
    user: str
    sessions: Annotated[int, Field(description="Allocations that live.")]
    limit: Annotated[int | None, Field(description="`turn.quotas.allocationsPerUser`; null: none.")]
    bytes_per_second: Annotated[
        int | None, Field(description="`turn.quotas.bytesPerSecond`, of each session; null: no limit.")
    ]
    received_bytes: Annotated[int, Field(description="Of the sessions that live, from the client.")]
    send_bytes: Annotated[int, Field(description="The same, to the client.")]


class RelayUsers(TypedDict):
    itemCount: int
    pageCount: int
    items: list[RelayUser]


class Killed(TypedDict):
    sessions: Annotated[int, Field(description="Those that were ended.")]


class Drain(TypedDict):
    draining: bool
    since: Annotated[str | None, Field(description="RFC 3339; null while it does not drain.")]
    sessions_then: Annotated[int | None, Field(description="How many there were when it began.")]
    sessions: Annotated[int, Field(description="How many are left.")]
    longest: Annotated[
        int, Field(description="Seconds until the last of them runs out, if none is refreshed.")
    ]


class CredentialWish(TypedDict, total=False):
    user: Annotated[str, Field(description="Shown to operators, and quotas count for it. May be empty.")]
    ttl: Annotated[int, Field(description="Seconds that it may be used to begin with.", ge=1, le=604_800)]


class Credential(TypedDict):
    """As a browser's `RTCIceServer` and the usual REST servers have it."""

    username: str
    password: str
    ttl: int
    uris: Annotated[list[str], Field(description="Empty where nobody says how clients reach the relay.")]
    expires_at: Annotated[int, Field(description="Unix time.")]
    realm: str
