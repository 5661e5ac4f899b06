"""Streams, the flows that feed and read them, and the groups of multicast."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import Struct

from headgate.engine.srtp import Srtp

__all__ = [
    "Channel",
    "Codec",
    "GroupSender",
    "Hear",
    "JoinGroup",
    "OpenStream",
    "PublishTcp",
    "PublishUdp",
    "ReadTcp",
    "ReadUdp",
    "Remote",
    "Track",
]


class Codec(enum.IntEnum):
    """What the engine must know of a payload: where a unit that needs no other begins.

    The twin is `Codec` in crates/engine/src/codec.rs.
    """

    OPAQUE = 0
    """Every unit stands alone (audio, and any payload the engine cannot look into)."""
    H264 = 1
    H265 = 2
    VP8 = 3
    VP9 = 4
    AV1 = 5
    OPAQUE_VIDEO = 6
    """Units of several packets, every one a possible start (JPEG, unknown video)."""

    @property
    def has_key_frames(self) -> bool:
        """Whether a reader's first packet is that of the next key frame, and not simply the next one."""
        return self not in {Codec.OPAQUE, Codec.OPAQUE_VIDEO}


class Track(Struct, frozen=True, kw_only=True):
    codec: Codec
    clock_rate: int


class OpenStream(Struct, frozen=True, kw_only=True):
    tracks: Sequence[Track]
    payload_size: int = 1472
    """A larger RTP packet is re-packetised (H.264, H.265) or dropped and counted (everything else)."""


class Channel(Struct, frozen=True, kw_only=True):
    """The two interleaved channels of one track (RFC 2326 10.12), 0 to 255 each."""

    track: int
    rtp: int
    rtcp: int
    srtp: Srtp | None = None
    """None: in the clear, as far as the connection is."""


class Remote(Struct, frozen=True, kw_only=True):
    """Where one track's datagrams come from or go to. A publisher's port 0: any port of the host."""

    track: int
    host: str
    rtp_port: int
    rtcp_port: int
    srtp: Srtp | None = None


class PublishTcp(Struct, frozen=True, kw_only=True):
    stream: int
    connection: int
    channels: Sequence[Channel]


class PublishUdp(Struct, frozen=True, kw_only=True):
    stream: int
    connection: int
    """The RTSP connection that set it up: the flow ends with it, and it has no read timeout of its own."""
    rtp: int
    rtcp: int
    """Handles of `bind_udp`."""
    remotes: Sequence[Remote]
    read_timeout: float = 10.0
    """The flow closes (`READ_TIMEOUT`) when no datagram came for so long."""


class ReadTcp(Struct, frozen=True, kw_only=True):
    stream: int
    connection: int
    channels: Sequence[Channel]
    queue_packets: int = 512
    queue_bytes: int = 4 * 1024 * 1024
    """When either limit is reached, units are discarded up to the next key frame."""


class ReadUdp(Struct, frozen=True, kw_only=True):
    stream: int
    connection: int
    """As for `PublishUdp`; 0: none, as a group is many clients'."""
    rtp: int
    rtcp: int
    remotes: Sequence[Remote]


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinGroup:
    """Interfaces are named by an IPv4 address of theirs, everywhere."""

    host: str
    """The group, IPv4."""
    port: int
    interfaces: Sequence[str]
    """None: the one that the system's routes lead to."""
    source: str | None = None
    """Only what this host sends (RFC 4607)."""
    ttl: int
    """Of our own reports, which go out by the first interface."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSender:
    interface: str
    ttl: int


class Hear(Struct, frozen=True, kw_only=True):
    connection: int
    """As for `PublishUdp`."""
    host: str
    """Whose reports are counted; of several on one host, those of the first are."""
    ports: Sequence[int]
    """Of `join_group`: where reports about each track come."""
