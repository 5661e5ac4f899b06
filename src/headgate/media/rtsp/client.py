"""The client's side of one RTSP connection (RFC 2326), without socket, clock or task.

It reads one path of a server: OPTIONS, DESCRIBE, SETUP of every track, PLAY, then signs of life
until `close`. Its owner connects, feeds it whole messages (`receive`), then in a loop takes `events`
and sends `to_send`, until `events` is empty; and calls `expire` at `deadline`.

One request is under way at a time. Whatever the server answers, the machine ends in `Failed` at worst.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headgate.engine import Refusal, Srtp
from headgate.media.rtsp.client_events import (
    Event,
    Failed,
    Playing,
    PortsWanted,
    Ready,
    Redirected,
    SourceTrack,
)
from headgate.media.rtsp.key_mgmt import Keyring, key_mgmt_header, parse_attribute, parse_header
from headgate.media.rtsp.location import Location, control_url
from headgate.media.rtsp.login import Login
from headgate.media.rtsp.message import Method, ProtocolError, Request, Response, Status
from headgate.media.rtsp.mikey import Message
from headgate.media.rtsp.sdp import SessionDescription
from headgate.media.rtsp.transport import Lower, Pair, granted
from headgate.media.rtsp.url import Url

__all__ = ["ClientProtocol", "ClientState"]

USER_AGENT = "headgate"
DEFAULT_TIMEOUT = 60.0
"""Seconds a server keeps a silent session where it does not say (RFC 2326 12.37)."""
TIMEOUT_LIMITS = (2.0, 3600.0)
KEEP_ALIVE_LIMIT = 30.0
"""Seconds: more often than any server needs, seldom enough to cost nothing; NATs forget within a minute."""
SETUP_TRANSPORTS: Mapping[Lower, str] = {
    Lower.UDP: "RTP/AVP;unicast;client_port={0}",
    Lower.TCP: "RTP/AVP/TCP;unicast;interleaved={0}",
    Lower.MULTICAST: "RTP/AVP;multicast",
}
SECURED_TRANSPORT = "RTP/SAVP;unicast;client_port={0}"
REDIRECTIONS = frozenset({301, 302, 303, 305, 307, 308})
UNDERSTOOD = frozenset({Method.OPTIONS, Method.GET_PARAMETER, Method.SET_PARAMETER})
"""What a server may ask of us. It is answered, and nothing more."""


class ClientState(enum.Enum):
    OPTIONS = enum.auto()
    DESCRIBE = enum.auto()
    SETUP = enum.auto()
    READY = enum.auto()
    """Everything is set up; the owner says when to play."""
    PLAY = enum.auto()
    PLAYING = enum.auto()
    OVER = enum.auto()


@dataclass(frozen=True, slots=True)
class _Asked:
    """The request under way."""

    method: Method
    url: Url
    headers: Mapping[str, str]
    cseq: int
    again: bool
    """Asked a second time, because the server wanted to know who we are."""


class ClientProtocol:
    """`now` is monotonic seconds, everywhere. `play_range` is the Range of PLAY, as it is sent."""

    def __init__(
        self,
        location: Location,
        *,
        lowers: Sequence[Lower],
        answer_timeout: float,
        play_range: str,
        now: float,
    ) -> None:
        self.state = ClientState.OPTIONS
        self._base = location.url
        self._aggregate = location.url
        self._encrypted = location.encrypted
        self._lowers = list(lowers)
        """What may still be tried, best first."""
        self._answer_timeout = answer_timeout
        self._range = play_range
        self._login = Login(location.credentials)
        self._keys = Keyring()
        self._server_keys: list[Message] = []
        """By track, where the description has one for each."""
        self._session: str | None = None
        """A secret of the server's and ours: never shown or logged."""
        self._timeout = DEFAULT_TIMEOUT
        self._keep_alive = Method.OPTIONS
        self._description: SessionDescription | None = None
        self._urls: list[Url] = []
        self._tracks: dict[int, SourceTrack] = {}
        self._offered: Pair | None = None
        self._asked: _Asked | None = None
        self._cseq = 0
        self._now = now
        self._deadline: float | None = None
        self._events: list[Event] = []
        self._out = bytearray()
        self._ask(Method.OPTIONS, self._base)

    # Bytes and time

    def receive(self, message: bytes, now: float) -> None:
        """Take one whole message. Never raises, whatever it says."""
        self._now = now
        if self.state is ClientState.OVER:
            return
        try:
            if not message.startswith(b"RTSP/"):
                self._answer(Request.parse(message))
                return
            response = Response.parse(message)
            # Some cameras answer without CSeq.
            if self._asked is not None and response.cseq in {None, self._asked.cseq}:
                self._answered(self._asked, response)
        except ProtocolError as error:
            self._fail(f"the server sent what cannot be read: {error}")
        except ValueError as error:
            self._fail(str(error))

    def malformed(self, refusal: Refusal) -> None:
        """The bytes after the last message cannot be one."""
        self._fail(f"the server does not speak RTSP ({refusal.name})")

    def events(self) -> list[Event]:
        """What happened since the last call, oldest first."""
        events, self._events = self._events, []
        return events

    def to_send(self) -> bytes:
        data = bytes(self._out)
        self._out.clear()
        return data

    def deadline(self) -> float | None:
        """When to call `expire`; None once it is over."""
        return self._deadline

    def expire(self, now: float) -> None:
        """Give a sign of life, or give up on an answer."""
        if self._deadline is None or now < self._deadline:
            return
        self._now = now
        if self._asked is not None:
            self._fail(f"no answer to {self._asked.method} in time")
        elif self.state is ClientState.PLAYING:
            self._ask(self._keep_alive, self._aggregate)
        else:
            self._deadline = None

    @property
    def lower(self) -> Lower:
        """What carries the packets, as far as it is known."""
        return self._lowers[0]

    # The owner's part

    def ports(self, pair: Pair) -> None:
        """Ours, for the track that `PortsWanted` named."""
        self._offer(pair)

    def play(self) -> None:
        """Ask for packets; everything is prepared for them."""
        if self.state is ClientState.READY:
            self.state = ClientState.PLAY
            self._ask(Method.PLAY, self._aggregate, {"Range": self._range})

    def close(self) -> None:
        """Say goodbye: send what `to_send` has and close the connection."""
        if self._session is not None and self.state is not ClientState.OVER:
            self._ask(Method.TEARDOWN, self._aggregate)
        self._end()

    # Answers

    def _answered(self, asked: _Asked, response: Response) -> None:
        if 100 <= response.status < 200:
            return
        self._asked, self._deadline = None, None
        if response.status == Status.UNAUTHORIZED:
            self._challenged(asked, response)
        elif self.state is ClientState.PLAYING:
            self._kept_alive(response)
        elif response.status in REDIRECTIONS:
            self._events.append(Redirected(location=response.header("Location") or ""))
            self._end()
        elif asked.method is Method.OPTIONS:
            self._understood(response)
        elif asked.method is Method.SETUP and response.status == Status.UNSUPPORTED_TRANSPORT:
            self._fall_back()
        elif response.status != Status.OK:
            self._fail(f"{asked.method} was refused with {response.status.value}")
        else:
            self._agreed(asked, response)

    def _challenged(self, asked: _Asked, response: Response) -> None:
        if asked.again or not self._login.challenged(response.header("WWW-Authenticate") or ""):
            self._fail("the server wants another user name and password")
        else:
            self._ask(asked.method, asked.url, asked.headers, again=True)

    def _understood(self, response: Response) -> None:
        # Whatever the answer: OPTIONS is optional for cameras, it seems.
        public = {word.strip().upper() for word in (response.header("Public") or "").split(",")}
        if Method.GET_PARAMETER in public:
            self._keep_alive = Method.GET_PARAMETER
        self.state = ClientState.DESCRIBE
        self._ask(Method.DESCRIBE, self._base, {"Accept": "application/sdp"})

    def _agreed(self, asked: _Asked, response: Response) -> None:
        match asked.method:
            case Method.DESCRIBE:
                self._described(response)
            case Method.SETUP:
                self._set_up(response)
            case Method.PLAY:
                self.state = ClientState.PLAYING
                self._deadline = self._now + self._interval
                self._events.append(Playing())
            case _:
                pass

    def _kept_alive(self, response: Response) -> None:
        # Any answer is a sign of life; only this one says that the session is not alive.
        if response.status == Status.SESSION_NOT_FOUND:
            self._fail("the server has forgotten the session")
        else:
            self._deadline = self._now + self._interval

    @property
    def _interval(self) -> float:
        return min(self._timeout / 2, KEEP_ALIVE_LIMIT)

    # Steps

    def _described(self, response: Response) -> None:
        kind = response.header("Content-Type") or "application/sdp"
        if kind.partition(";")[0].strip().lower() != "application/sdp":
            raise ValueError(f"a description of type {kind[:80]!r}")
        self._description = description = SessionDescription.parse(response.body)
        base = self._content_base(response)
        self._aggregate = control_url(base, description.control)
        self._urls = [control_url(base, media.control) for media in description.medias]
        self._server_keys = _keys(description)
        self.state = ClientState.SETUP
        self._next_track()

    def _content_base(self, response: Response) -> Url:
        """RFC 2326 C.1.1: Content-Base, Content-Location, the request's own, in this order."""
        for name in ("Content-Base", "Content-Location"):
            if text := response.header(name):
                try:
                    return control_url(self._base, text)
                except ValueError:
                    continue  # what a server's own URL cannot be mended by
        return self._base

    def _next_track(self) -> None:
        track = len(self._tracks)
        if self._description is not None and track == len(self._description.medias):
            self.state = ClientState.READY
            self._events.append(Ready(description=self._description, tracks=dict(self._tracks)))
        elif self._bare:
            # Datagrams in the clear beside an encrypted connection would betray it.
            self._fall_back()
        elif self.lower is Lower.UDP:
            self._events.append(PortsWanted(track=track))
        elif self.lower is Lower.TCP:
            self._offer(Pair(2 * track, 2 * track + 1))
        else:
            self._offer(None)

    def _offer(self, pair: Pair | None) -> None:
        if self.state is not ClientState.SETUP:
            return
        self._offered = pair
        track = len(self._tracks)
        url = self._urls[track]
        headers = {"Transport": SETUP_TRANSPORTS[self.lower].format(pair)}
        if self._secured:
            headers["Transport"] = SECURED_TRANSPORT.format(pair)
            headers["KeyMgmt"] = key_mgmt_header(self._keys.key(track), url=str(url))
        self._ask(Method.SETUP, url, headers)

    def _set_up(self, response: Response) -> None:
        grant = granted(response.header("Transport") or "")
        pair = grant.group.ports if grant.group is not None else grant.channels or self._offered
        if pair is None or grant.lower is not self.lower or grant.secured is not self._secured:
            self._fail("the server chose another transport than it was offered", transport=True)
            return
        self._take_session(response.header("Session") or "")
        track = len(self._tracks)
        srtp = None
        if self._secured:
            try:
                header = response.header("KeyMgmt")
                theirs = parse_header(header) if header is not None else self._server_keys[track]
            except ValueError as error:
                self._fail(f"the server's key is of no use: {error}", transport=True)
                return
            srtp = Srtp(send=self._keys.key(track).srtp_key, receive=theirs.srtp_key)
        self._tracks[track] = SourceTrack(pair=pair, granted=grant, srtp=srtp)
        self._next_track()

    @property
    def _bare(self) -> bool:
        """Whether packets would be in the clear beside TLS, to which a redirection may have led. Groups have
        no keys here.
        """
        return self._encrypted and (
            self.lower is Lower.MULTICAST or (self.lower is Lower.UDP and not self._server_keys)
        )

    @property
    def _secured(self) -> bool:
        """Whether packets are SRTP. Over TCP, TLS is enough."""
        return self._encrypted and self.lower is Lower.UDP

    def _take_session(self, header: str) -> None:
        session, *parameters = (part.strip() for part in header.split(";"))
        if session:
            self._session = session
        for name, _, value in (part.partition("=") for part in parameters):
            if name.strip().lower() == "timeout" and value.strip().isdecimal() and len(value) < 10:
                least, most = TIMEOUT_LIMITS
                self._timeout = min(max(float(value), least), most)

    def _fall_back(self) -> None:
        """461 for the first track: the next transport. Later ones would need another session."""
        if self._tracks or len(self._lowers) == 1:
            self._fail("the server does not have that transport", transport=True)
        else:
            del self._lowers[0]
            self._next_track()

    # Requests

    def _ask(
        self, method: Method, url: Url, headers: Mapping[str, str] | None = None, *, again: bool = False
    ) -> None:
        self._cseq += 1
        headers = headers or {}
        self._asked = _Asked(method, url, headers, self._cseq, again)
        self._deadline = self._now + self._answer_timeout
        authorization = self._login.authorization(method=method, uri=str(url))
        own = {
            "User-Agent": USER_AGENT,
            **({"Session": self._session} if self._session is not None else {}),
            **({"Authorization": authorization} if authorization is not None else {}),
        }
        self._out += Request(method=method, url=url, cseq=self._cseq, headers={**own, **headers}).serialise()

    def _answer(self, request: Request) -> None:
        known = request.method in UNDERSTOOD
        status = Status.OK if known else Status.NOT_IMPLEMENTED
        self._out += Response(status=status, cseq=request.cseq).serialise()

    def _fail(self, text: str, *, transport: bool = False) -> None:
        if self.state is not ClientState.OVER:
            self._events.append(Failed(text=text, transport=transport))
            self.close()

    def _end(self) -> None:
        self.state = ClientState.OVER
        self._asked, self._deadline = None, None


def _keys(description: SessionDescription) -> list[Message]:
    """What the server sends each track with (RFC 4567 3.1); empty where it does not say all, or we cannot."""
    if not all(media.secured for media in description.medias):
        return []
    try:
        return [
            parse_attribute(description.key_mgmt(track) or "") for track in range(len(description.medias))
        ]
    except ValueError:
        return []
