"""Documents of the `/v3` dialect. Keys and their order are those of seed 002; what we add stands last."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field
from typing_extensions import TypedDict

from headgate.core.tunnel import Tunnel

__all__ = [
    "Error",
    "Ok",
    "Path",
    "PathList",
    "PathReader",
    "PathSource",
    "RTSPConn",
    "RTSPConnList",
    "RTSPSession",
    "RTSPSessionList",
    "SourceType",
]

SourceType = Literal[
    "hlsSource",
    "redirect",
    "rpiCameraSource",
    "rtmpConn",
    "rtmpSource",
    "rtspSession",
    "rtspSource",
    "rtspsSession",
    "srtConn",
    "srtSource",
    "udpSource",
    "webRTCSession",
    "webRTCSource",
]
ReaderType = Literal["hlsMuxer", "rtmpConn", "rtspSession", "rtspsSession", "srtConn", "webRTCSession"]


class Error(TypedDict):
    error: Annotated[str, Field(description="What is wrong, in words.")]


class Ok(TypedDict):
    """The answer to every change that was made."""

    status: Literal["ok"]


class PathSource(TypedDict):
    type: SourceType
    id: Annotated[UUID | Literal[""], Field(description='The session; "" where there is none: `redirect`.')]


class PathReader(TypedDict):
    type: ReaderType
    id: Annotated[UUID, Field(description="The session.")]


class Path(TypedDict):
    """A path that exists now: configured by its exact name, or published to or read at this moment."""

    name: str
    confName: Annotated[str, Field(description="The key in `paths` of the configuration that applies to it.")]
    source: PathSource | None
    ready: Annotated[bool, Field(description="Somebody publishes to it.")]
    readyTime: Annotated[datetime | None, Field(description="Since when.")]
    tracks: Annotated[list[str], Field(description="Codec labels.")]
    bytesReceived: int
    bytesSent: int
    readers: list[PathReader]


class PathList(TypedDict):
    pageCount: int
    itemCount: Annotated[int, Field(description="How many there are on all pages together.")]
    items: list[Path]


class RTSPConn(TypedDict):
    id: UUID
    created: datetime
    remoteAddr: str
    bytesReceived: Annotated[int, Field(description="On the wire, TLS included.")]
    bytesSent: int
    session: Annotated[UUID | None, Field(description="Its session, once it has one.")]
    framesRefused: Annotated[int, Field(description="Interleaved frames on channels nobody set up; ours.")]
    tunnel: Annotated[
        Tunnel,
        Field(description="What its RTSP is inside of. From MediaMTX 1.15 on."),
    ]


class RTSPConnList(TypedDict):
    pageCount: int
    itemCount: int
    items: list[RTSPConn]


class RTSPSession(TypedDict):
    id: UUID
    created: datetime
    remoteAddr: str
    state: Literal["idle", "read", "publish"]
    path: str
    query: str
    transport: Annotated[
        str | None,
        Field(description='"TCP" (interleaved), "UDP" or "UDP-multicast"; null until the client has chosen.'),
    ]
    bytesReceived: Annotated[int, Field(description="RTP and RTCP packets without transport framing.")]
    bytesSent: int
    rtpPacketsReceived: int
    rtpPacketsSent: int
    rtpPacketsLost: Annotated[
        int,
        Field(
            description="Of a publisher: gaps in the sequence. Of a reader: what its receiver reports say."
        ),
    ]
    rtpPacketsInError: int
    rtpPacketsJitter: Annotated[
        float, Field(description="RFC 3550 A.8, in ticks of the RTP clock: the largest of its tracks.")
    ]
    rtcpPacketsReceived: int
    rtcpPacketsSent: int
    rtcpPacketsInError: int
    rtpPacketsDiscarded: Annotated[
        int, Field(description="Not sent, because the reader was too slow. Not in MediaMTX.")
    ]
    userAgent: Annotated[str, Field(description="What the client calls itself. From MediaMTX 1.18 on.")]


class RTSPSessionList(TypedDict):
    pageCount: int
    itemCount: int
    items: list[RTSPSession]
