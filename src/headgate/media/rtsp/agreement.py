"""What a client and the server have agreed on in one RTSP session: state, id, path, tracks, keys."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass

from headgate.engine import Srtp
from headgate.media.rtsp.key_mgmt import Keyring
from headgate.media.rtsp.message import Method, ProtocolError, Request, Status
from headgate.media.rtsp.sdp import SessionDescription
from headgate.media.rtsp.state import STATELESS, TRANSITIONS, State
from headgate.media.rtsp.transport import Lower, Transport
from headgate.media.rtsp.url import Url

__all__ = ["Agreement", "SetupTrack"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupTrack:
    """A track the client set up."""

    url: Url
    """As the client named it: RTP-Info must repeat it."""
    transport: Transport
    srtp: Srtp | None = None
    """The keys, where the transport is SRTP."""


class Agreement:
    """One connection's, for one session after the other: `end` makes it as new.

    Its checks raise ProtocolError with the status that the request is to be answered with.
    """

    def __init__(self, *, make_id: Callable[[], str]) -> None:
        self._make_id = make_id
        self.keys = Keyring()
        self.state = State.INIT
        self.session_id: str | None = None
        """RTSP's own session identifier, a secret between this connection and us: never shown or logged."""
        self.path = ""
        """"" without a session."""
        self.tracks: dict[int, SetupTrack] = {}
        """By the track's number within the path."""
        self.announced: SessionDescription | None = None
        """A publisher's."""

    @property
    def lower(self) -> Lower | None:
        """What carries the session's packets; None before the first SETUP."""
        return next((track.transport.offer.lower for track in self.tracks.values()), None)

    @property
    def over_datagrams(self) -> bool:
        return self.lower is not None and self.lower.is_datagrams

    @property
    def secured(self) -> bool:
        """Whether the session's packets are SRTP."""
        return any(track.srtp for track in self.tracks.values())

    @property
    def missing(self) -> int:
        """How many announced tracks are not set up."""
        return len(self.announced.medias) - len(self.tracks) if self.announced else 0

    def meant(self, url: Url) -> tuple[Url, int | None]:
        """The path's URL and the number of the track meant, by the publisher's own controls or by ours."""
        if self.announced is None:
            return url.track
        return self.announced.find(url, path=self.path, taken=self.tracks)

    def asks_for_another(self, request: Request, *, path: str, track: int | None) -> bool:
        """No id asks for a session of its own (RFC 2326 10.4), which here takes the other's place.

        FFmpeg does this when no datagram came through: it pauses, and sets everything up again
        over TCP. Who merely forgets the id from one track to the next means the session there is.
        """
        if request.header("Session") is not None:
            return False
        repeats = track in self.tracks or path != self.path
        return self.state is State.PLAY_PAUSED or (self.state is State.READY and repeats)

    @property
    def allowed(self) -> list[Method]:
        """What may be asked in this state (RFC 2326 12.4)."""
        return [method for method in Method if method in STATELESS | TRANSITIONS[self.state].keys()]

    # Checks

    def check_id(self, request: Request) -> None:
        header = request.header("Session")
        if header is None:
            return
        given = header.partition(";")[0].strip().encode()
        if self.session_id is None or not hmac.compare_digest(given, self.session_id.encode()):
            raise ProtocolError(Status.SESSION_NOT_FOUND, "a Session that is not this connection's")

    def check_state(self, method: Method) -> None:
        if method not in TRANSITIONS[self.state]:
            raise ProtocolError(Status.METHOD_NOT_VALID_IN_THIS_STATE, f"{method} while {self.state.name}")

    def check_path(self, path: str) -> None:
        if self.state is not State.INIT and path != self.path:
            raise ProtocolError(Status.BAD_REQUEST, "the session is about another path")

    def check_not_set_up(self, track: int | None) -> None:
        if track in self.tracks:
            raise ProtocolError(Status.METHOD_NOT_VALID_IN_THIS_STATE, f"track {track} is set up already")

    # Steps

    def move(self, method: Method, *, path: str) -> None:
        """Enter the state that a granted request leads to. The first gives the session its id and `path`."""
        if self.state is State.INIT:
            self.session_id = self._make_id()
            self.path = path
        self.state = TRANSITIONS[self.state][method]

    def end(self) -> None:
        self.state = State.INIT
        self.session_id = None
        self.path = ""
        self.tracks.clear()
        self.keys.forget()
        self.announced = None
