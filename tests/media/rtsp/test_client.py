"""The client's machine against the server's, and against answers that no server should give."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from headgate.engine import Refusal
from headgate.media.rtsp import client_events as news
from headgate.media.rtsp import events
from headgate.media.rtsp.client import ClientProtocol, ClientState
from headgate.media.rtsp.location import Location
from headgate.media.rtsp.message import Request, Response, Status
from headgate.media.rtsp.protocol import SESSION_TIMEOUT, ServerProtocol
from headgate.media.rtsp.sdp import SessionDescription
from headgate.media.rtsp.state import State
from headgate.media.rtsp.transport import Group, Lower, Pair
from tests.media.rtsp.dialogue import SDP

BOTH = (Lower.UDP, Lower.TCP)
GROUPS = [Group(f"224.1.0.{track}", Pair(8002, 8003), 127) for track in range(2)]
READABLE = SessionDescription.parse(SDP).for_readers()


def client(url: str = "rtsp://h/cam?q=1", *, lowers: tuple[Lower, ...] = BOTH) -> ClientProtocol:
    return ClientProtocol(
        Location.parse(url), lowers=lowers, answer_timeout=10.0, play_range="npt=0-", now=1000.0
    )


class House:
    """Both machines, joined: `run` goes on until neither has anything to say."""

    def __init__(
        self,
        *,
        offers: frozenset[Lower] = frozenset(Lower),
        lowers: tuple[Lower, ...] = BOTH,
        tls: bool = False,
    ) -> None:
        self.now = 1000.0
        self.client = client("rtsps://h/cam" if tls else "rtsp://h/cam?q=1", lowers=lowers)
        self.server = ServerProtocol(transports=offers, now=self.now, tls=tls)
        self.news: list[news.Event] = []
        self.asked: list[events.Event] = []

    def run(self) -> list[news.Event]:
        while True:
            sent, answered = self.client.to_send(), self.server.to_send()
            for message in split(sent):
                self.server.receive(message, self.now)
                self.decide()
            for message in split(answered):
                self.client.receive(message, self.now)
            for event in self.client.events():
                self.news.append(event)
                if isinstance(event, news.PortsWanted):
                    self.client.ports(Pair(6000 + 2 * event.track, 6001 + 2 * event.track))
            if not sent and not answered:
                return self.news

    def decide(self) -> None:
        for event in self.server.events():
            self.asked.append(event)
            match event:
                case events.DescribeRequested():
                    self.server.describe_ok(READABLE, ssrcs=[None, None])
                case events.SetupRequested(track=track, lower=lower):
                    assert track is not None
                    ports = Pair(8000, 8001) if lower is Lower.UDP else None
                    group = GROUPS[track] if lower is Lower.MULTICAST else None
                    self.server.setup_ok(track=track, server_ports=ports, group=group)
                case events.PlayRequested():
                    self.server.play_ok({})


def split(data: bytes) -> list[bytes]:
    messages = []
    while data:
        head, _, rest = data.partition(b"\r\n\r\n")
        sizes = [line for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")]
        size = int(sizes[0].partition(b":")[2]) if sizes else 0
        messages.append(head + b"\r\n\r\n" + rest[:size])
        data = rest[size:]
    return messages


@pytest.mark.parametrize("lower", list(Lower))
def test_from_the_first_word_to_the_last(lower: Lower) -> None:
    house = House(lowers=(lower,))
    ready = house.run()[-1]
    assert isinstance(ready, news.Ready)
    assert list(ready.tracks) == [0, 1]
    pairs = {
        Lower.UDP: [Pair(6000, 6001), Pair(6002, 6003)],
        Lower.TCP: [Pair(0, 1), Pair(2, 3)],
        Lower.MULTICAST: [Pair(8002, 8003), Pair(8002, 8003)],
    }
    assert [track.pair for track in ready.tracks.values()] == pairs[lower]
    groups = [track.granted.group for track in ready.tracks.values()]
    assert groups == (GROUPS if lower is Lower.MULTICAST else [None, None])
    ports = {track.granted.server_ports for track in ready.tracks.values()}
    assert ports == ({Pair(8000, 8001)} if lower is Lower.UDP else {None})
    assert house.server.agreed.state is State.READY, "nothing plays before the owner is prepared"
    house.client.play()
    assert isinstance(house.run()[-1], news.Playing)
    assert (house.server.agreed.state, house.client.state) == (State.PLAYING, ClientState.PLAYING)
    described = next(event for event in house.asked if isinstance(event, events.DescribeRequested))
    assert (described.path, described.query) == ("cam", "q=1")
    house.client.close()
    house.run()
    assert isinstance(house.asked[-1], events.TornDown)
    assert (house.client.state, house.client.deadline()) == (ClientState.OVER, None)


def test_udp_that_is_refused_becomes_tcp() -> None:
    house = House(offers=frozenset({Lower.TCP}))
    ready = house.run()[-1]
    assert isinstance(ready, news.Ready)
    assert house.client.lower is Lower.TCP
    house = House(offers=frozenset({Lower.TCP}), lowers=(Lower.UDP,))
    failed = house.run()[-1]
    assert isinstance(failed, news.Failed)
    assert failed.transport


def test_no_group_is_asked_for_beside_tls() -> None:
    failed = converse(client("rtsps://h/cam", lowers=(Lower.MULTICAST,)), answering(sdp=ONE))[-1]
    assert isinstance(failed, news.Failed)
    assert failed.transport
    machine = client("rtsps://h/cam", lowers=(Lower.MULTICAST, Lower.TCP))
    ready = converse(machine, answering(sdp=ONE, transport="RTP/AVP/TCP;interleaved=0-1"))[-1]
    assert isinstance(ready, news.Ready)
    assert machine.lower is Lower.TCP


def test_signs_of_life() -> None:
    house = House(lowers=(Lower.UDP,))
    house.run()
    house.client.play()
    house.run()
    for _ in range(10):
        deadline = house.client.deadline()
        assert deadline is not None
        assert deadline - house.now == 30.0
        house.now = deadline
        house.client.expire(house.now)
        house.run()
    assert house.now > 1000.0 + SESSION_TIMEOUT
    house.server.expire(house.now)
    assert house.server.agreed.state is State.PLAYING
    assert isinstance(house.news[-1], news.Playing), "nothing went wrong"


def test_no_answer() -> None:
    machine = client()
    deadline = machine.deadline()
    assert deadline == 1010.0
    machine.expire(deadline - 1)
    assert machine.events() == []
    machine.expire(deadline)
    assert machine.events() == [news.Failed(text="no answer to OPTIONS in time")]


Answer = Callable[[Request], Response]


def converse(machine: ClientProtocol, answer: Answer, *, limit: int = 50) -> list[news.Event]:
    """Answer every request as told until the machine has no more."""
    seen: list[news.Event] = []
    for _ in range(limit):
        requests = split(machine.to_send())
        if not requests:
            return seen
        for message in requests:
            machine.receive(answer(Request.parse(message)).serialise(), 1000.0)
            for event in machine.events():
                seen.append(event)
                if isinstance(event, news.PortsWanted):
                    machine.ports(Pair(6000, 6001))
    raise AssertionError("it never ends")


def answering(
    *,
    status: int = 200,
    on: str = "DESCRIBE",
    sdp: bytes = SDP,
    transport: str = "RTP/AVP/TCP;unicast;interleaved=0-1",
    headers: tuple[tuple[str, str], ...] = (),
) -> Answer:
    def answer(request: Request) -> Response:
        mine = headers if request.method == on else ()
        code = Status(status) if request.method == on else Status.OK
        if request.method == "DESCRIBE" and code is Status.OK:
            return Response(status=code, cseq=request.cseq, headers=mine, body=sdp)
        if request.method == "SETUP":
            mine = (("Transport", transport), ("Session", "abc;timeout=20"), *mine)
        return Response(status=code, cseq=request.cseq, headers=mine)

    return answer


ONE = b"v=0\r\ns=-\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:rtsp://other/x/t1\r\n"


def test_a_camera_that_does_everything_its_own_way() -> None:
    machine, uris = client(lowers=(Lower.TCP,)), []
    odd = answering(
        sdp=ONE, transport="RTP/AVP/TCP;interleaved=8-9", headers=(("Content-Base", "rtsp://nat/base/"),)
    )

    def answer(request: Request) -> Response:
        uris.append(f"{request.method} {request.url}")
        response = odd(request)
        return Response(status=response.status, cseq=None, headers=response.headers, body=response.body)

    ready = converse(machine, answer)[-1]
    assert isinstance(ready, news.Ready)
    assert ready.tracks[0].pair == Pair(8, 9), "the channels that it chose"
    machine.play()
    assert isinstance(converse(machine, answer)[-1], news.Playing)
    assert uris[1:] == ["DESCRIBE rtsp://h/cam?q=1", "SETUP rtsp://h/x/t1", "PLAY rtsp://h/base/"]
    assert machine.deadline() == 1010.0, "half of the time-out it named"


def test_who_we_are_is_said_when_asked() -> None:
    machine, seen = client("rtsp://bob:pw@h/cam", lowers=(Lower.TCP,)), []

    def answer(request: Request) -> Response:
        seen.append(request)
        if request.method != "OPTIONS" and request.header("Authorization") is None:
            challenge = (("WWW-Authenticate", 'Digest realm="r", nonce="n"'),)
            return Response(status=Status.UNAUTHORIZED, cseq=request.cseq, headers=challenge)
        return answering(sdp=ONE)(request)

    assert isinstance(converse(machine, answer)[-1], news.Ready)
    assert "bob" not in str(seen[0].url), "the URL that is sent has neither"
    assert [request.method for request in seen] == ["OPTIONS", "DESCRIBE", "DESCRIBE", "SETUP"]


@pytest.mark.parametrize("url", ["rtsp://h/cam", "rtsp://bob:wrong@h/cam"])
def test_a_door_that_stays_shut(url: str) -> None:
    nonces = iter(range(100))

    def answer(request: Request) -> Response:
        challenge = (("WWW-Authenticate", f'Digest realm="r", nonce="{next(nonces)}"'),)
        return Response(status=Status.UNAUTHORIZED, cseq=request.cseq, headers=challenge)

    events_seen = converse(client(url), answer)
    assert events_seen == [news.Failed(text="the server wants another user name and password")]


@pytest.mark.parametrize("status", [301, 302, 303, 305, 307, 308])
def test_a_redirection_is_the_owners(status: int) -> None:
    machine = client()
    moved = answering(status=status, headers=(("Location", "rtsp://there/x"),))
    assert converse(machine, moved) == [news.Redirected(location="rtsp://there/x")]
    assert machine.state is ClientState.OVER


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (answering(status=404), "refused with 404"),
        (answering(status=599), "refused with 599"),
        (answering(status=454, on="PLAY"), None),
        (answering(sdp=b""), "no RTP media"),
        (answering(sdp=b"\xff" * 1000), "no RTP media"),
        (answering(sdp=b"m=video 0 RTP/AVP 96\r\n" * 65), "more than 64"),
        (answering(sdp=b"m=video 0 RTP/AVP 96\r\na=control:a b\r\n"), "control"),
        (answering(sdp=b"m=video 0 RTP/AVP 96\r\na=control:http://h/x\r\n"), "RTSP URL"),
        (answering(headers=(("Content-Type", "text/html"),)), "type 'text/html'"),
        (answering(transport=""), "transport"),
        (answering(transport="RTP/AVP;multicast;port=5000-5001"), "IPv4"),
        (answering(transport="RTP/AVP;multicast;destination=10.0.0.1;port=5000-5001"), "no multicast group"),
        (answering(transport="RTP/AVP;multicast;destination=224.1.0.0;port=5000-5001"), "another transport"),
        (answering(transport="RTP/AVP/TCP;interleaved=255-256"), "range"),
        (answering(transport="RTP/AVP;unicast;server_port=1-0"), "range"),
        (answering(transport="RTP/AVP;unicast;server_port=5000-5001"), "another transport"),
    ],
)
def test_whatever_it_answers_it_fails_in_words(answer: Answer, text: str | None) -> None:
    machine = client(lowers=(Lower.TCP,))
    last = converse(machine, answer)[-1]
    if text is None:
        machine.play()
        last = converse(machine, answer)[-1]
        text = "PLAY was refused"
    assert isinstance(last, news.Failed)
    assert text in last.text
    assert (machine.state, machine.deadline()) == (ClientState.OVER, None)


@pytest.mark.parametrize(
    "message",
    [
        b"RTSP/1.0",
        b"RTSP/1.0 x OK\r\n\r\n",
        b"RTSP/2.0 200 OK\r\nCSeq: 1\r\n\r\n",
        b"GET\r\n\r\n",
        b"\xff\xff\r\n\r\n",
    ],
)
def test_what_cannot_be_read(message: bytes) -> None:
    machine = client()
    machine.receive(message, 1000.0)
    assert [type(event) for event in machine.events()] == [news.Failed]


def test_other_answers_than_ours_are_passed_over() -> None:
    machine = client()
    machine.receive(b"RTSP/1.0 404 No\r\nCSeq: 99\r\n\r\n", 1000.0)
    machine.receive(b"RTSP/1.0 100 Continue\r\nCSeq: 1\r\n\r\n", 1000.0)
    assert (machine.events(), machine.state) == ([], ClientState.OPTIONS)
    machine.malformed(Refusal.NOT_RTSP)
    assert [type(event) for event in machine.events()] == [news.Failed]
    machine.receive(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n", 1000.0)
    assert machine.events() == []


def test_a_server_may_ask_too() -> None:
    machine = client()
    machine.to_send()
    machine.receive(b"OPTIONS * RTSP/1.0\r\nCSeq: 7\r\n\r\n", 1000.0)
    machine.receive(b"ANNOUNCE rtsp://h/cam RTSP/1.0\r\nCSeq: 8\r\n\r\n", 1000.0)
    answers = [Response.parse(message) for message in split(machine.to_send())]
    assert [(answer.status, answer.cseq) for answer in answers] == [(200, 7), (501, 8)]


def test_a_session_that_the_server_has_forgotten() -> None:
    machine = client(lowers=(Lower.TCP,))
    converse(machine, answering(sdp=ONE))
    machine.play()
    converse(machine, answering(sdp=ONE))
    for status, expected in ((405, []), (454, [news.Failed(text="the server has forgotten the session")])):
        machine.expire(machine.deadline() or 0)
        assert converse(machine, answering(status=status, on="OPTIONS")) == expected


def test_over_tls_datagrams_are_srtp() -> None:
    house = House(tls=True)
    ready = next(event for event in house.run() if isinstance(event, news.Ready))
    for track, agreed in house.server.agreed.tracks.items():
        ours, theirs = ready.tracks[track].srtp, agreed.srtp
        assert ours is not None
        assert theirs is not None
        assert (ours.send.key, ours.receive.key) == (theirs.receive.key, theirs.send.key)
        assert ours.send.key != ours.receive.key
    assert house.client.lower is Lower.UDP


def test_over_tls_a_server_without_srtp_is_read_over_tcp() -> None:
    house = House(tls=True, offers=frozenset({Lower.TCP}))
    ready = next(event for event in house.run() if isinstance(event, news.Ready))
    assert house.client.lower is Lower.TCP
    assert all(track.srtp is None for track in ready.tracks.values())
    house = House(tls=True, offers=frozenset({Lower.TCP}), lowers=(Lower.UDP,))
    assert any(isinstance(event, news.Failed) and event.transport for event in house.run())


def test_over_tls_tcp_needs_no_srtp_even_where_it_is_described() -> None:
    house = House(tls=True, lowers=(Lower.TCP,))
    ready = next(event for event in house.run() if isinstance(event, news.Ready))
    assert all(track.srtp is None for track in ready.tracks.values())
    assert not house.server.agreed.secured
