"""A client and the server's machine, joined without a network."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from headgate.media.rtsp.events import Event, RequestRefused
from headgate.media.rtsp.message import Response
from headgate.media.rtsp.protocol import ServerProtocol
from headgate.media.rtsp.transport import Lower

__all__ = ["SDP", "TCP", "UDP", "Dialogue", "answers"]

TCP = "RTP/AVP/TCP;unicast"
UDP = "RTP/AVP;unicast;client_port={0}-{1}"
SDP = (
    b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    b"m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:streamid=0\r\n"
    b"m=audio 0 RTP/AVP 97\r\na=rtpmap:97 opus/48000/2\r\na=control:streamid=1\r\n"
)


class Dialogue:
    """`ask` sends a request and takes the answer, or None where the machine waits for a decision."""

    def __init__(self, *, transports: frozenset[Lower] = frozenset(Lower), tls: bool = False) -> None:
        self.now = 1000.0
        self.machine = ServerProtocol(transports=transports, now=self.now, tls=tls)
        self.session = ""
        """The Session header that requests carry; the server's, once it gave one."""
        self.news: list[Event] = []
        """Every event but refusals, oldest first."""
        self.refusals: list[RequestRefused] = []
        self._cseq = itertools.count(1)

    def message(self, method: str, url: str, *headers: str, body: bytes = b"") -> bytes:
        session = [f"Session: {self.session}"] if self.session else []
        lines = [f"{method} {url} RTSP/1.0", f"CSeq: {next(self._cseq)}", *session, *headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode() + body

    def send(self, method: str, url: str, *headers: str, body: bytes = b"") -> None:
        self.machine.receive(self.message(method, url, *headers, body=body), self.now)

    def ask(
        self, method: str, url: str = "rtsp://h/cam", *headers: str, body: bytes = b""
    ) -> Response | None:
        self.send(method, url, *headers, body=body)
        return self.take()

    def status(self, method: str, url: str = "rtsp://h/cam", *headers: str, body: bytes = b"") -> int:
        answer = self.ask(method, url, *headers, body=body)
        assert answer is not None, f"{method} waits for a decision"
        return answer.status

    def take(self) -> Response | None:
        """The one answer that is there."""
        found = list(answers(self.machine.to_send()))
        assert len(found) <= 1, found
        for event in self.machine.events():
            if isinstance(event, RequestRefused):
                self.refusals.append(event)
            else:
                self.news.append(event)
        if not found:
            return None
        self.session = (found[0].header("Session") or self.session).partition(";")[0]
        return found[0]

    def taken(self) -> Response:
        answer = self.take()
        assert answer is not None
        return answer

    # Whole steps

    def announce(self, url: str = "rtsp://h/cam", *, body: bytes = SDP) -> Response:
        assert self.ask("ANNOUNCE", url, "Content-Type: application/sdp", body=body) is None
        self.machine.announce_ok()
        return self.taken()

    def setup(self, track: int, transport: str = TCP, *, url: str = "rtsp://h/cam/trackID={0}") -> Response:
        assert self.ask("SETUP", url.format(track), f"Transport: {transport.format(5000, 5001)}") is None
        self.machine.setup_ok(track=track)
        return self.taken()

    def play(self) -> Response:
        assert self.ask("PLAY") is None
        self.machine.play_ok({})
        return self.taken()

    def record(self) -> Response:
        assert self.ask("RECORD") is None
        self.machine.record_ok()
        return self.taken()

    def pause(self) -> Response:
        assert self.ask("PAUSE") is None
        self.machine.pause_ok()
        return self.taken()

    def publish(self, transport: str = TCP) -> None:
        self.announce()
        for track in range(2):
            self.setup(track, _ports(transport, track), url="rtsp://h/cam/streamid={0}")
        self.record()

    def read(self, transport: str = TCP) -> None:
        self.setup(0, transport)
        self.play()


def _ports(transport: str, track: int) -> str:
    return transport.format(5000 + 2 * track, 5001 + 2 * track)


def answers(data: bytes) -> Iterator[Response]:
    """Split what a server sent."""
    while data:
        head, _, rest = data.partition(b"\r\n\r\n")
        lengths = [line for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")]
        size = int(lengths[0].partition(b":")[2]) if lengths else 0
        yield Response.parse(head + b"\r\n\r\n" + rest[:size])
        data = rest[size:]
