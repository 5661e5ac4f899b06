"""What the RTSP protocol machine tells its owner, or asks it to decide."""

from __future__ import annotations

from dataclasses import dataclass, field

from headgate.media.rtsp.message import Status
from headgate.media.rtsp.sdp import SessionDescription
from headgate.media.rtsp.transport import Lower

__all__ = [
    "AnnounceRequested",
    "Asker",
    "Decision",
    "DescribeRequested",
    "Ended",
    "Event",
    "PauseRequested",
    "PlayRequested",
    "RecordRequested",
    "RequestRefused",
    "SetupRequested",
    "TimedOut",
    "TornDown",
]


@dataclass(frozen=True, slots=True)
class Asker:
    """What a request says about who sent it."""

    method: str
    authorization: str | None = field(default=None, repr=False)
    """The header's text."""


# Decisions: each is answered by the method of `ServerProtocol` that its docstring names, or by
# `refuse`. Until then no later request of the connection is looked at.


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeRequested:
    """Answer with `describe_ok`."""

    path: str
    query: str
    asker: Asker


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnounceRequested:
    """A client wants to publish: the start of a session. Answer with `announce_ok`."""

    path: str
    query: str
    asker: Asker
    description: SessionDescription


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupRequested:
    """Answer with `setup_ok`. The first of a reader is the start of a session."""

    path: str
    query: str
    asker: Asker
    track: int | None
    """None: the client named the path and no track, which has a meaning only where there is one."""
    lower: Lower


@dataclass(frozen=True, slots=True)
class PlayRequested:
    """Answer with `play_ok`. May come while it plays already."""


@dataclass(frozen=True, slots=True)
class RecordRequested:
    """Answer with `record_ok`. Every announced track is set up. May come while it records already."""


@dataclass(frozen=True, slots=True)
class PauseRequested:
    """Answer with `pause_ok`."""


# News, already answered where the client waits for an answer.


@dataclass(frozen=True, slots=True)
class TornDown:
    """The client ended the session, and may begin another on the same connection."""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The session gave no sign of life for too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRefused:
    """A request was answered with an error; for the log and the counters."""

    method: str
    """"" where it was not readable."""
    status: Status
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Nothing more will be answered: send what `to_send` has and close the connection."""

    text: str


Decision = (
    DescribeRequested | AnnounceRequested | SetupRequested | PlayRequested | RecordRequested | PauseRequested
)
Event = Decision | TornDown | TimedOut | RequestRefused | Ended
