"""What the RTSP client's machine tells its owner, or asks it for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from headgate.engine import Srtp
from headgate.media.rtsp.sdp import SessionDescription
from headgate.media.rtsp.transport import Granted, Pair

__all__ = ["Event", "Failed", "Playing", "PortsWanted", "Ready", "Redirected", "SourceTrack"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTrack:
    """A track that the server will send."""

    pair: Pair
    """UDP: our ports. TCP: the channels. Multicast: the group's ports."""
    granted: Granted
    srtp: Srtp | None = None
    """The keys, where the transport is SRTP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortsWanted:
    """Answer with `ports`: ours, over UDP, for one track."""

    track: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """Every track is set up. Prepare for packets, then call `play`."""

    description: SessionDescription
    tracks: Mapping[int, SourceTrack]
    """By the track's number in the description."""


@dataclass(frozen=True, slots=True)
class Playing:
    """The server agreed to send."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirected:
    """The source is elsewhere: nothing more is asked here."""

    location: str
    """As the server wrote it, to be judged by `Location.redirected`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """It cannot go on. The text is for the log and shows no secret."""

    text: str
    transport: bool = False
    """It might have worked over another transport."""


Event = PortsWanted | Ready | Playing | Redirected | Failed
