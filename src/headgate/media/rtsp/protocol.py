"""The server's side of one RTSP connection (RFC 2326), without socket, clock or task.

Its owner feeds it whole messages (`receive`), then in a loop takes `events`, answers
the decisions among them, and sends `to_send`, until `events` is empty. Requests are
answered strictly in the order in which they came, one at a time.

A connection carries one session at a time, and a session is known to its own
connection only: an id taken from elsewhere is answered 454 (RFC 2326 would let any
connection use it, which is how sessions are stolen).
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from headgate.engine import Refusal, Srtp
from headgate.media.rtsp.agreement import Agreement, SetupTrack
from headgate.media.rtsp.events import Ended, Event, RequestRefused, TimedOut, TornDown
from headgate.media.rtsp.key_mgmt import OFFERED_SUITE, key_mgmt_header, secured
from headgate.media.rtsp.message import Method, ProtocolError, Request, Response, Status
from headgate.media.rtsp.proposal import Proposal, Proposals
from headgate.media.rtsp.state import State
from headgate.media.rtsp.transport import Group, Lower, Pair, Transport, assign

__all__ = ["SESSION_TIMEOUT", "Position", "ServerProtocol"]

SESSION_TIMEOUT = 60.0
"""Seconds; RFC 2326 12.37's default, and what every client assumes."""
PIPELINE_LIMIT = 16
"""Requests that wait for the answer to an earlier one. FFmpeg and GStreamer never have two."""
SERVER_NAME = "headgate"
PUBLIC = ", ".join(Method)

REFUSALS: Mapping[Refusal, tuple[Status, str]] = {
    Refusal.HEAD_TOO_LARGE: (Status.BAD_REQUEST, "the head is too large"),
    Refusal.BODY_TOO_LARGE: (Status.REQUEST_ENTITY_TOO_LARGE, "the body is too large"),
    Refusal.BAD_CONTENT_LENGTH: (Status.BAD_REQUEST, "Content-Length is not a number"),
    Refusal.NOT_RTSP: (Status.BAD_REQUEST, "not RTSP"),
    Refusal.BAD_FRAME: (Status.BAD_REQUEST, "not a WebSocket frame that a client may send"),
    Refusal.FRAME_TOO_LARGE: (Status.REQUEST_ENTITY_TOO_LARGE, "the WebSocket message is too large"),
    Refusal.BAD_BASE64: (Status.BAD_REQUEST, "not base64"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a track is when a reader joins it, for RTP-Info (RFC 2326 12.33)."""

    sequence: int | None
    """Of the first packet the reader will get; None where that is not known yet."""
    timestamp: int

    def __str__(self) -> str:
        sequence = "" if self.sequence is None else f";seq={self.sequence}"
        return f"{sequence};rtptime={self.timestamp}"


@dataclass(frozen=True, slots=True)
class _Mistake:
    """Something unreadable, which is answered in its turn."""

    error: ProtocolError
    fatal: bool


class ServerProtocol:
    """`now` is monotonic seconds, everywhere."""

    def __init__(
        self,
        *,
        transports: Collection[Lower],
        now: float,
        tls: bool = False,
        make_session_id: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        self._tls = tls
        self._heard = now
        self._queue: deque[Request | _Mistake] = deque()
        self._pending: Proposal | None = None
        self._events: list[Event] = []
        self._out = bytearray()
        self._over = False
        self.agreed = Agreement(make_id=make_session_id)
        self._proposals = Proposals(self.agreed, transports=transports, tls=tls)
        self.user_agent = ""

    # Bytes and time

    def receive(self, message: bytes, now: float) -> None:
        """Take one whole message. Never raises, whatever it says."""
        self._heard = max(self._heard, now)
        if message.startswith(b"RTSP/"):
            return  # an answer; nothing was asked
        try:
            self._enqueue(Request.parse(message))
        except ProtocolError as error:
            self._enqueue(_Mistake(error, fatal=False))

    def malformed(self, refusal: Refusal) -> None:
        """The bytes after the last message cannot be one: answer so, in its turn, and end."""
        self._enqueue(_Mistake(ProtocolError(*REFUSALS[refusal]), fatal=True))

    def enter_tunnel(self) -> None:
        """Before the first message: who needs a tunnel would wait for datagrams in vain."""
        self._proposals.transports = frozenset({Lower.TCP} & set(self._proposals.transports))

    def events(self) -> list[Event]:
        """What happened since the last call, oldest first."""
        events, self._events = self._events, []
        return events

    def to_send(self) -> bytes:
        data = bytes(self._out)
        self._out.clear()
        return data

    def deadline(self) -> float | None:
        """When to call `expire`; None while nothing of ours can run out.

        Only a session over UDP can be lost without a sign: one over TCP ends with its
        connection. Whether a publisher's datagrams stopped, the engine sees.
        """
        if self.agreed.over_datagrams and self.agreed.state is not State.RECORDING:
            return self._heard + SESSION_TIMEOUT
        return None

    def heard(self, at: float) -> None:
        """The session gave a sign of life beside RTSP at this time: RTCP (RFC 2326 12.37)."""
        self._heard = max(self._heard, at)

    def expire(self, now: float) -> None:
        """End a session whose deadline has passed."""
        deadline = self.deadline()
        if deadline is not None and now >= deadline:
            self._end_session()
            self._events.append(TimedOut())
            self._advance()

    # Answers

    def describe_ok(self, description: bytes, *, ssrcs: Sequence[int | None] = ()) -> None:
        """`ssrcs`: of each track's packets, where they are known. Over TLS, where UDP is allowed, the
        client is told to use SRTP and given our keys (RFC 4567 3.1).
        """
        proposal = self._decided(Method.DESCRIBE)
        self._proposals.described = proposal.url
        if self._tls and Lower.UDP in self._proposals.transports:
            keys = [self.agreed.keys.key(track, ssrc=ssrc) for track, ssrc in enumerate(ssrcs)]
            description = secured(description, keys)
        headers = [("Content-Base", proposal.url.base), ("Content-Type", "application/sdp")]
        self._answer(proposal.request, headers, description)
        self._advance()

    def redirect(self, location: str, *, permanent: bool) -> None:
        """Answer DESCRIBE with another place: a URL, or a path of this server as /name."""
        proposal = self._decided(Method.DESCRIBE)
        if location.startswith("/"):
            location = str(replace(proposal.url, path=location[1:], query=None))
        status = Status.MOVED_PERMANENTLY if permanent else Status.FOUND
        self._write(Response(status=status, cseq=proposal.request.cseq, headers=(("Location", location),)))
        self._advance()

    def announce_ok(self) -> None:
        proposal = self._decided(Method.ANNOUNCE)
        self.agreed.announced = proposal.description
        self._move(proposal)

    def setup_ok(
        self,
        *,
        track: int,
        server_ports: Pair | None = None,
        group: Group | None = None,
        ssrc: int | None = None,
    ) -> None:
        """Agree. `server_ports` for UDP, `group` for multicast; `ssrc` is that of the packets we send, where
        it is known.

        May refuse after all: the track may be set up already, or its channels or ports be taken.
        """
        proposal = self._decided(Method.SETUP)
        if proposal.offer is None:
            raise RuntimeError("a SETUP without an offer")
        try:
            self.agreed.check_not_set_up(track)
            taken = [known.transport.pair for known in self.agreed.tracks.values()]
            pair = group.ports if group is not None else assign(proposal.offer, taken=taken)
        except ProtocolError as error:
            self._error(proposal.request, error)
            self._advance()
            return
        transport = Transport(
            offer=proposal.offer, pair=pair, server_ports=server_ports, group=group, ssrc=ssrc
        )
        headers, srtp = [("Transport", str(transport))], None
        if proposal.offer.secured and proposal.their_key is not None:
            publishes = self.agreed.state is State.ANNOUNCED
            suite = proposal.their_key.suite if publishes else OFFERED_SUITE
            ours = self.agreed.keys.key(track, ssrc=ssrc, suite=suite)
            srtp = Srtp(send=ours.srtp_key, receive=proposal.their_key.srtp_key)
            headers.append(("KeyMgmt", key_mgmt_header(ours, url=str(proposal.url))))
        self.agreed.tracks[track] = SetupTrack(url=proposal.url, transport=transport, srtp=srtp)
        self._move(proposal, headers)

    def play_ok(self, positions: Mapping[int, Position]) -> None:
        """`positions` by track; one that sent nothing yet is left out."""
        proposal = self._decided(Method.PLAY)
        headers = [("Range", "npt=0-")] if proposal.request.header("Range") is not None else []
        info = [
            f"url={track.url}{positions[number]}"
            for number, track in sorted(self.agreed.tracks.items())
            if number in positions
        ]
        if info:
            headers.append(("RTP-Info", ",".join(info)))
        self._move(proposal, headers)

    def record_ok(self) -> None:
        self._move(self._decided(Method.RECORD))

    def pause_ok(self) -> None:
        self._move(self._decided(Method.PAUSE))

    def refuse(self, status: Status, text: str, headers: Collection[tuple[str, str]] = ()) -> None:
        """Answer the decision with an error; the state stays. `text` is for the log."""
        self._error(self._decided(None).request, ProtocolError(status, text), headers)
        self._advance()

    def dismiss(self, status: Status, text: str, headers: Collection[tuple[str, str]] = ()) -> None:
        """As `refuse`, and nothing more is answered."""
        self._error(self._decided(None).request, ProtocolError(status, text), headers)
        self._over = True
        self._events.append(Ended(text=text))

    # Requests

    def _enqueue(self, item: Request | _Mistake) -> None:
        if self._over:
            return
        if len(self._queue) >= PIPELINE_LIMIT:
            self._queue.clear()
            error = ProtocolError(Status.BAD_REQUEST, f"more than {PIPELINE_LIMIT} requests at once")
            item = _Mistake(error, fatal=True)
        self._queue.append(item)
        self._advance()

    def _advance(self) -> None:
        while self._queue and self._pending is None and not self._over:
            item = self._queue.popleft()
            if isinstance(item, _Mistake):
                self._error(None, item.error)
                if item.fatal:
                    self._over = True
                    self._events.append(Ended(text=str(item.error)))
                continue
            try:
                self._handle(item)
            except ProtocolError as error:
                self._error(item, error)

    def _handle(self, request: Request) -> None:
        try:
            method = Method(request.method)
        except ValueError:
            raise ProtocolError(Status.NOT_IMPLEMENTED, f"method {request.method[:40]!r}") from None
        self.user_agent = request.header("User-Agent") or self.user_agent
        if request.header("Require") is not None or request.header("Proxy-Require") is not None:
            raise ProtocolError(Status.OPTION_NOT_SUPPORTED, "we know no options")
        self.agreed.check_id(request)
        match method:
            case Method.OPTIONS:
                self._answer(request, [("Public", PUBLIC)])
            case Method.GET_PARAMETER | Method.SET_PARAMETER:
                if request.body.strip():  # without a body it is how clients say that they live
                    raise ProtocolError(Status.PARAMETER_NOT_UNDERSTOOD, "we know no parameters")
                self._answer(request)
            case Method.DESCRIBE:
                self._decide(self._proposals.describe(request))
            case Method.ANNOUNCE:
                self._decide(self._proposals.announce(request))
            case Method.SETUP:
                self._decide(self._proposals.setup(request))
            case Method.PLAY:
                self._decide(self._proposals.play(request))
            case Method.RECORD:
                self._decide(self._proposals.record(request))
            case Method.PAUSE:
                self._decide(self._proposals.pause(request))
            case Method.TEARDOWN:
                self._proposals.check_teardown(request)
                self._answer(request)
                self._end_session()
                self._events.append(TornDown())

    # Steps

    def _decide(self, proposal: Proposal) -> None:
        if proposal.replaces:
            self._end_session()
            self._events.append(TornDown())
        self._pending = proposal
        self._events.append(proposal.decision)

    def _decided(self, method: Method | None) -> Proposal:
        """What waits for an answer. Raises RuntimeError when it is another method, or nothing."""
        proposal = self._pending
        if proposal is None or method not in {None, proposal.method}:
            raise RuntimeError(f"no {method or 'request'} waits for an answer")
        self._pending = None
        return proposal

    def _move(self, proposal: Proposal, headers: Collection[tuple[str, str]] = ()) -> None:
        """Enter the state that a granted request leads to, answer it, and look at the next."""
        base = proposal.url if proposal.method is Method.ANNOUNCE else proposal.url.track[0]
        self.agreed.move(proposal.method, path=base.name)
        self._answer(proposal.request, headers)
        self._advance()

    def _answer(self, request: Request, headers: Collection[tuple[str, str]] = (), body: bytes = b"") -> None:
        self._write(Response(status=Status.OK, cseq=request.cseq, headers=tuple(headers), body=body))

    def _error(
        self, request: Request | None, error: ProtocolError, extra: Collection[tuple[str, str]] = ()
    ) -> None:
        headers = tuple(extra)
        if error.status is Status.NOT_IMPLEMENTED:
            headers = (("Public", PUBLIC),)
        elif error.status is Status.METHOD_NOT_VALID_IN_THIS_STATE:  # RFC 2326 11.3.6: Allow
            headers = (("Allow", ", ".join(self.agreed.allowed)),)
        elif error.status is Status.OPTION_NOT_SUPPORTED and request is not None:
            wanted = (request.header("Require"), request.header("Proxy-Require"))
            headers = (("Unsupported", ", ".join(option for option in wanted if option)),)
        cseq = error.cseq if request is None else request.cseq
        self._write(Response(status=error.status, cseq=cseq, headers=headers))
        method = request.method if request is not None else ""
        self._events.append(RequestRefused(method=method, status=error.status, text=str(error)))

    def _write(self, response: Response) -> None:
        """Add the headers that every answer has."""
        headers = [("Server", SERVER_NAME), *response.headers]
        if self.agreed.session_id is not None:
            timeout = f";timeout={SESSION_TIMEOUT:.0f}" if self.agreed.over_datagrams else ""
            headers.append(("Session", self.agreed.session_id + timeout))
        self._out += Response(
            status=response.status, cseq=response.cseq, headers=tuple(headers), body=response.body
        ).serialise()

    def _end_session(self) -> None:
        self.agreed.end()
        if self._pending is not None:  # what it asked about is gone
            error = ProtocolError(Status.SESSION_NOT_FOUND, "the session ended meanwhile")
            self._error(self._decided(None).request, error)
