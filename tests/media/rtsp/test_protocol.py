"""The server's machine: every method, every state it may not come in, and everything hostile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.engine import Refusal
from headgate.media.rtsp import events
from headgate.media.rtsp.message import Method, Status
from headgate.media.rtsp.protocol import PIPELINE_LIMIT, SESSION_TIMEOUT, Position, ServerProtocol
from headgate.media.rtsp.state import STATELESS, TRANSITIONS, State
from headgate.media.rtsp.transport import Group, Lower, Pair
from tests.media.rtsp.dialogue import SDP, TCP, UDP, Dialogue, answers

ASKS_TO_SEE, ASKS_TO_SET_UP = events.Asker("DESCRIBE"), events.Asker("SETUP")


@pytest.fixture
def dialogue() -> Dialogue:
    return Dialogue()


# Methods


def test_options(dialogue: Dialogue) -> None:
    answer = dialogue.ask("OPTIONS", "*")
    assert answer is not None
    assert (answer.status, answer.cseq, answer.header("Server")) == (200, 1, "headgate")
    assert (answer.header("Public") or "").split(", ") == list(Method)


def test_describe(dialogue: Dialogue) -> None:
    assert dialogue.ask("DESCRIBE", "rtsp://u:p@h/a/b?k=v", "Accept: application/sdp") is None
    assert dialogue.news == [events.DescribeRequested(path="a/b", query="k=v", asker=ASKS_TO_SEE)]
    dialogue.machine.describe_ok(b"v=0\r\n")
    answer = dialogue.taken()
    assert answer.body == b"v=0\r\n"
    assert answer.header("Content-Type") == "application/sdp"
    assert answer.header("Content-Base") == "rtsp://h/a/b/?k=v"
    assert answer.header("Session") is None


@pytest.mark.parametrize(
    ("url", "query"),
    [
        ("rtsp://h/cam/trackID=0", "k=v"),  # GStreamer, which resolves as RFC 3986 says
        ("rtsp://h/cam/?k=v/trackID=0", "k=v"),  # FFmpeg, which appends
        ("rtsp://h/cam/trackID=0?other", "other"),
        ("rtsp://h/cam2/trackID=0", ""),
    ],
)
def test_a_reader_keeps_the_query_it_described_with(dialogue: Dialogue, url: str, query: str) -> None:
    assert dialogue.ask("DESCRIBE", "rtsp://h/cam?k=v") is None
    dialogue.machine.describe_ok(b"v=0\r\n")
    dialogue.take()
    assert dialogue.ask("SETUP", url, f"Transport: {TCP}") is None
    (*_, asked) = dialogue.news
    assert isinstance(asked, events.SetupRequested)
    assert asked.query == query


def test_describe_refused(dialogue: Dialogue) -> None:
    assert dialogue.ask("DESCRIBE") is None
    dialogue.machine.refuse(Status.NOT_FOUND, "nobody")
    assert dialogue.taken().status == 404
    assert dialogue.refusals == [
        events.RequestRefused(method="DESCRIBE", status=Status.NOT_FOUND, text="nobody")
    ]


def test_describe_as_something_else(dialogue: Dialogue) -> None:
    assert dialogue.status("DESCRIBE", "rtsp://h/cam", "Accept: text/html") == 406


def test_a_reader_over_udp(dialogue: Dialogue) -> None:
    dialogue.send("SETUP", "rtsp://h/cam/trackID=1", "Transport: RTP/AVP;unicast;client_port=5000-5001")
    assert dialogue.take() is None
    assert dialogue.news == [
        events.SetupRequested(path="cam", query="", asker=ASKS_TO_SET_UP, track=1, lower=Lower.UDP)
    ]
    dialogue.machine.setup_ok(track=1, server_ports=Pair(8000, 8001), ssrc=0x1234)
    answer = dialogue.taken()
    assert answer.header("Transport") == (
        "RTP/AVP;unicast;client_port=5000-5001;server_port=8000-8001;ssrc=00001234"
    )
    identifier, timeout = (answer.header("Session") or "").split(";")
    assert len(identifier) >= 32
    assert timeout == "timeout=60"
    assert (dialogue.machine.agreed.state, dialogue.machine.agreed.path) == (State.READY, "cam")

    assert dialogue.ask("PLAY", "rtsp://h/cam/", "Range: npt=0.000-") is None
    dialogue.machine.play_ok({0: Position(sequence=1, timestamp=2), 1: Position(sequence=7, timestamp=9)})
    answer = dialogue.taken()
    assert answer.header("Range") == "npt=0-"
    assert answer.header("RTP-Info") == "url=rtsp://h/cam/trackID=1;seq=7;rtptime=9"
    assert dialogue.machine.agreed.state is State.PLAYING

    assert dialogue.pause().status == 200
    assert dialogue.machine.agreed.state is State.PLAY_PAUSED
    answer = dialogue.play()
    assert (answer.header("Range"), answer.header("RTP-Info")) == (None, None)

    teardown = dialogue.ask("TEARDOWN")
    assert teardown is not None
    assert teardown.status == 200
    assert dialogue.news[-1] == events.TornDown()
    assert (dialogue.machine.agreed.state, dialogue.machine.agreed.session_id) == (State.INIT, None)


def test_a_publisher_over_tcp(dialogue: Dialogue) -> None:
    assert dialogue.ask("ANNOUNCE", "rtsp://h/cam?k=v", "Content-Type: application/sdp", body=SDP) is None
    (news,) = dialogue.news
    assert isinstance(news, events.AnnounceRequested)
    assert (news.path, news.query, len(news.description.tracks)) == ("cam", "k=v", 2)
    dialogue.machine.announce_ok()
    dialogue.taken()
    for track in range(2):
        url = f"rtsp://h/cam?k=v/streamid={track}"
        transport = f"Transport: RTP/AVP/TCP;unicast;interleaved={2 * track}-{2 * track + 1};mode=record"
        assert dialogue.ask("SETUP", url, transport) is None
        assert dialogue.news[-1] == events.SetupRequested(
            path="cam", query="k=v", asker=ASKS_TO_SET_UP, track=track, lower=Lower.TCP
        )
        dialogue.machine.setup_ok(track=track)
        answer = dialogue.taken()
        assert answer.header("Transport") == (
            f"RTP/AVP/TCP;unicast;interleaved={2 * track}-{2 * track + 1};mode=record"
        )
        assert "timeout" not in (answer.header("Session") or "")
    assert dialogue.ask("RECORD", "rtsp://h/cam?k=v") is None
    assert dialogue.news[-1] == events.RecordRequested()
    dialogue.machine.record_ok()
    assert dialogue.taken().status == 200
    assert dialogue.machine.agreed.state is State.RECORDING
    pairs = {number: track.transport.pair for number, track in dialogue.machine.agreed.tracks.items()}
    assert pairs == {0: Pair(0, 1), 1: Pair(2, 3)}


def test_the_server_assigns_channels_where_the_client_does_not(dialogue: Dialogue) -> None:
    pairs = [dialogue.setup(track).header("Transport") for track in range(2)]
    assert pairs == ["RTP/AVP/TCP;unicast;interleaved=0-1", "RTP/AVP/TCP;unicast;interleaved=2-3"]


@pytest.mark.parametrize("method", ["GET_PARAMETER", "SET_PARAMETER"])
def test_parameters_are_for_keeping_alive(dialogue: Dialogue, method: str) -> None:
    assert dialogue.status(method, "*") == 200
    assert dialogue.status(method, "rtsp://h/anything at".replace(" ", "%20")) == 200
    assert dialogue.status(method, "rtsp://h/cam", body=b"packets_received\r\n") == 451


# States

STEPS: dict[State, Callable[[Dialogue], object]] = {
    State.INIT: lambda d: None,
    State.READY: lambda d: d.setup(0),
    State.PLAYING: lambda d: d.read(),
    State.PLAY_PAUSED: lambda d: (d.read(), d.pause()),
    State.ANNOUNCED: lambda d: (d.announce(), d.setup(0, url="rtsp://h/cam/streamid={0}")),
    State.RECORDING: lambda d: d.publish(),
    State.RECORD_PAUSED: lambda d: (d.publish(), d.pause()),
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("method", Method)
def test_a_request_in_a_state_that_does_not_know_it_is_455_and_changes_nothing(
    state: State, method: Method
) -> None:
    dialogue = Dialogue()
    STEPS[state](dialogue)
    assert dialogue.machine.agreed.state is state
    if method in STATELESS | TRANSITIONS[state].keys():
        return
    news = len(dialogue.news)
    answer = dialogue.ask(
        method, "rtsp://h/cam", f"Transport: {TCP}", body=SDP if method == "ANNOUNCE" else b""
    )
    assert answer is not None
    assert answer.status == 455
    allowed = (answer.header("Allow") or "").split(", ")
    assert set(allowed) == STATELESS | TRANSITIONS[state].keys()
    assert dialogue.machine.agreed.state is state
    assert len(dialogue.news) == news


@pytest.mark.parametrize("state", State)
def test_stateless_requests_are_answered_in_every_state(state: State) -> None:
    dialogue = Dialogue()
    STEPS[state](dialogue)
    for method in ("OPTIONS", "GET_PARAMETER", "SET_PARAMETER"):
        assert dialogue.status(method) == 200
    assert dialogue.ask("DESCRIBE", "rtsp://h/other") is None
    dialogue.machine.refuse(Status.NOT_FOUND, "")
    assert dialogue.taken().status == 404
    assert dialogue.machine.agreed.state is state


@pytest.mark.parametrize("state", [state for state in State if Method.TEARDOWN in TRANSITIONS[state]])
def test_teardown_ends_a_session_in_every_state_and_another_may_begin(state: State) -> None:
    dialogue = Dialogue()
    STEPS[state](dialogue)
    first = dialogue.session
    assert dialogue.status("TEARDOWN") == 200
    assert dialogue.news[-1] == events.TornDown()
    assert dialogue.status("GET_PARAMETER") == 454
    dialogue.session = ""
    dialogue.publish()
    assert dialogue.session != first
    assert dialogue.machine.agreed.state is State.RECORDING


def test_a_refused_decision_leaves_the_state(dialogue: Dialogue) -> None:
    dialogue.announce()
    for track in range(2):
        dialogue.setup(track, url="rtsp://h/cam/streamid={0}")
    assert dialogue.ask("RECORD") is None
    dialogue.machine.refuse(Status.BAD_REQUEST, "someone is already publishing")
    assert dialogue.taken().status == 400
    assert dialogue.machine.agreed.state is State.ANNOUNCED
    dialogue.record()


def test_a_refused_announcement_leaves_no_trace(dialogue: Dialogue) -> None:
    assert dialogue.ask("ANNOUNCE", body=SDP) is None
    dialogue.machine.refuse(Status.NOT_FOUND, "no")
    dialogue.taken()
    dialogue.read()
    assert dialogue.machine.agreed.state is State.PLAYING


def test_record_needs_every_announced_track(dialogue: Dialogue) -> None:
    dialogue.announce()
    assert dialogue.status("RECORD") == 455
    dialogue.setup(0, url="rtsp://h/cam/streamid={0}")
    assert dialogue.status("RECORD") == 455
    dialogue.setup(1, url="rtsp://h/cam/streamid={0}")
    dialogue.record()


def test_play_and_record_may_be_repeated(dialogue: Dialogue) -> None:
    dialogue.read()
    assert dialogue.play().status == 200
    other = Dialogue()
    other.publish()
    assert other.record().status == 200


def test_answers_must_be_asked_for(dialogue: Dialogue) -> None:
    with pytest.raises(RuntimeError):
        dialogue.machine.play_ok({})
    assert dialogue.ask("DESCRIBE") is None
    with pytest.raises(RuntimeError):
        dialogue.machine.announce_ok()
    dialogue.machine.describe_ok(b"v=0\r\n")
    assert dialogue.taken().status == 200


# URLs


def test_one_session_is_about_one_path(dialogue: Dialogue) -> None:
    dialogue.setup(0)
    assert dialogue.status("SETUP", "rtsp://h/other/trackID=1", f"Transport: {TCP}") == 400
    assert dialogue.status("PLAY", "rtsp://h/other") == 404


def test_several_tracks_are_controlled_together(dialogue: Dialogue) -> None:
    dialogue.setup(0)
    assert dialogue.ask("PLAY", "rtsp://h/cam/trackID=0") is None  # the only one: no difference
    dialogue.machine.refuse(Status.BAD_REQUEST, "")
    dialogue.take()
    dialogue.setup(1)
    assert dialogue.status("PLAY", "rtsp://h/cam/trackID=0") == 460
    assert dialogue.status("TEARDOWN", "rtsp://h/cam/trackID=0") == 460
    dialogue.play()
    assert dialogue.status("PAUSE", "rtsp://h/cam/trackID=0") == 460


def test_setup_of_a_path_names_no_track(dialogue: Dialogue) -> None:
    assert dialogue.ask("SETUP", "rtsp://h/cam", f"Transport: {TCP}") is None
    assert dialogue.news == [
        events.SetupRequested(path="cam", query="", asker=ASKS_TO_SET_UP, track=None, lower=Lower.TCP)
    ]
    dialogue.machine.refuse(Status.AGGREGATE_OPERATION_NOT_ALLOWED, "several")
    assert dialogue.taken().status == 459


def test_a_publisher_sets_up_what_it_announced(dialogue: Dialogue) -> None:
    dialogue.announce()
    assert dialogue.status("SETUP", "rtsp://h/cam/streamid=2", f"Transport: {TCP}") == 404
    assert dialogue.status("SETUP", "rtsp://h/cam", f"Transport: {TCP}") == 404


@pytest.mark.parametrize("method", ["DESCRIBE", "ANNOUNCE", "SETUP"])
@pytest.mark.parametrize(
    "url", ["*", "rtsp://h/", "rtsp://h", "rtsp://h//cam", "rtsp://h/a/../b", "rtsp://h/%00", "rtsp://h/a b"]
)
def test_names_no_path_can_have(dialogue: Dialogue, method: str, url: str) -> None:
    body = SDP if method == "ANNOUNCE" else b""
    assert dialogue.status(method, url, f"Transport: {TCP}", body=body) == 400


# Transports


def test_the_same_track_twice(dialogue: Dialogue) -> None:
    dialogue.setup(0)
    assert dialogue.status("SETUP", "rtsp://h/cam/trackID=0", f"Transport: {TCP}") == 455
    # As the path's only track, under the path's own URL.
    assert dialogue.ask("SETUP", "rtsp://h/cam", f"Transport: {TCP}") is None
    dialogue.machine.setup_ok(track=0)
    assert dialogue.taken().status == 455
    assert dialogue.machine.agreed.state is State.READY


def test_both_transports_in_one_session(dialogue: Dialogue) -> None:
    dialogue.setup(0)
    assert dialogue.status("SETUP", "rtsp://h/cam/trackID=1", "Transport: RTP/AVP;client_port=4-5") == 400


@pytest.mark.parametrize("transport", ["RTP/AVP/TCP;interleaved=0-1", "RTP/AVP/TCP;interleaved=1-2"])
def test_channels_of_another_track(dialogue: Dialogue, transport: str) -> None:
    dialogue.setup(0, "RTP/AVP/TCP;interleaved=0-1")
    assert dialogue.ask("SETUP", "rtsp://h/cam/trackID=1", f"Transport: {transport}") is None
    dialogue.machine.setup_ok(track=1)
    assert dialogue.taken().status == 400
    assert list(dialogue.machine.agreed.tracks) == [0]


@pytest.mark.parametrize(
    ("transport", "status"),
    [
        ("RTP/AVP;unicast;client_port=5001-5000", 400),
        ("RTP/AVP/TCP;interleaved=255-256", 400),
        ("RTP/SAVP;unicast;client_port=5000-5001", 461),
        ("RTP/AVP/TCP;mode=record", 400),
    ],
)
def test_transports_that_are_refused_open_no_session(dialogue: Dialogue, transport: str, status: int) -> None:
    assert dialogue.status("SETUP", "rtsp://h/cam/trackID=0", f"Transport: {transport}") == status
    assert dialogue.status("SETUP", "rtsp://h/cam/trackID=0") == 461
    assert (dialogue.machine.agreed.state, dialogue.news) == (State.INIT, [])


def test_a_publisher_that_says_it_wants_to_play(dialogue: Dialogue) -> None:
    dialogue.announce()
    assert dialogue.status("SETUP", "rtsp://h/cam/streamid=0", f"Transport: {TCP};mode=play") == 400


def test_udp_where_it_is_off() -> None:
    dialogue = Dialogue(transports=frozenset({Lower.TCP}))
    assert dialogue.status("SETUP", "rtsp://h/cam/trackID=0", "Transport: RTP/AVP;client_port=4-5") == 461
    dialogue.setup(0)


# Sessions


def test_a_session_id_from_elsewhere_is_not_found() -> None:
    owner, thief = Dialogue(), Dialogue()
    owner.publish()
    thief.session = owner.session
    for method in Method:
        assert thief.status(method, "rtsp://h/cam", f"Transport: {TCP}") == 454
    assert thief.news == []
    owner_state = owner.machine.agreed.state
    thief.session = ""
    thief.read()
    mine, thief.session = thief.session, owner.session
    assert thief.status("TEARDOWN") == 454
    thief.session = mine
    assert thief.status("TEARDOWN") == 200
    assert owner.machine.agreed.state is owner_state


def test_ids_cannot_be_guessed() -> None:
    seen = set()
    for _ in range(50):
        dialogue = Dialogue()
        dialogue.setup(0)
        seen.add(dialogue.session)
    assert len(seen) == 50
    assert all(int(identifier, 16).bit_length() <= 128 and len(identifier) == 32 for identifier in seen)


def test_a_client_that_forgets_the_id_means_the_session_there_is(dialogue: Dialogue) -> None:
    dialogue.setup(0)
    first, dialogue.session = dialogue.session, ""
    dialogue.setup(1)
    assert dialogue.session == first
    assert list(dialogue.machine.agreed.tracks) == [0, 1]


def test_setting_up_again_without_the_id_replaces_a_paused_session(dialogue: Dialogue) -> None:
    """As FFmpeg does when no datagram came through: PAUSE, then SETUP over TCP."""
    dialogue.read(UDP)
    dialogue.pause()
    first, dialogue.session = dialogue.session, ""
    assert dialogue.status("SETUP", "rtsp://h/cam/trackID=0", "Transport: RTP/NO") == 461
    assert dialogue.machine.agreed.state is State.PLAY_PAUSED, "a refused wish costs nothing"
    dialogue.session = ""
    dialogue.setup(0, TCP)
    assert dialogue.news[-2] == events.TornDown()
    assert dialogue.session != first
    assert dialogue.machine.agreed.lower is Lower.TCP
    dialogue.play()


def test_user_agents_are_remembered(dialogue: Dialogue) -> None:
    dialogue.ask("OPTIONS", "*", "User-Agent: Lavf59")
    dialogue.setup(0)
    assert dialogue.machine.user_agent == "Lavf59"


# Time


def test_a_reader_over_udp_dies_without_a_sign_of_life(dialogue: Dialogue) -> None:
    dialogue.read(UDP)
    assert dialogue.machine.deadline() == dialogue.now + SESSION_TIMEOUT
    dialogue.now += 50
    dialogue.status("GET_PARAMETER")
    assert dialogue.machine.deadline() == dialogue.now + SESSION_TIMEOUT
    dialogue.machine.heard(dialogue.now + 30)  # RTCP
    dialogue.machine.heard(dialogue.now - 30)  # old news change nothing
    assert dialogue.machine.deadline() == dialogue.now + 30 + SESSION_TIMEOUT
    dialogue.machine.expire(dialogue.now + 89.9)
    assert dialogue.machine.events() == []
    dialogue.machine.expire(dialogue.now + 90)
    assert dialogue.machine.events() == [events.TimedOut()]
    assert (dialogue.machine.agreed.state, dialogue.machine.deadline()) == (State.INIT, None)
    dialogue.machine.expire(dialogue.now + 1000)
    assert dialogue.machine.events() == []


def test_a_reader_of_a_group(dialogue: Dialogue) -> None:
    group = Group("224.1.0.0", Pair(8002, 8003), 127)
    for track in range(2):
        url = f"rtsp://h/cam/trackID={track}"
        assert dialogue.ask("SETUP", url, "Transport: RTP/AVP;multicast;destination=10.0.0.1") is None
        dialogue.machine.setup_ok(track=track, group=replace(group, host=f"224.1.0.{track}"), ssrc=7)
        answer = dialogue.taken()
        assert answer.header("Transport") == (
            f"RTP/AVP;multicast;destination=224.1.0.{track};port=8002-8003;ttl=127;ssrc=00000007"
        )
        assert (answer.header("Session") or "").endswith(";timeout=60")
    assert dialogue.machine.agreed.lower is Lower.MULTICAST
    dialogue.play()
    assert dialogue.machine.deadline() == dialogue.now + SESSION_TIMEOUT
    assert dialogue.status("SETUP", "rtsp://h/cam/trackID=2", f"Transport: {TCP}") == 455  # it plays


def test_one_session_is_over_one_transport_and_nobody_publishes_to_a_group(dialogue: Dialogue) -> None:
    assert dialogue.ask("SETUP", "rtsp://h/cam/trackID=0", "Transport: RTP/AVP;multicast") is None
    dialogue.machine.setup_ok(track=0, group=Group("224.1.0.0", Pair(8002, 8003), 127))
    dialogue.taken()
    assert dialogue.status("SETUP", "rtsp://h/cam/trackID=1", f"Transport: {UDP.format(6, 7)}") == 400
    publisher = Dialogue()
    publisher.announce()
    url = "rtsp://h/cam/streamid=0"
    assert publisher.status("SETUP", url, "Transport: RTP/AVP;multicast;mode=record") == 461
    both = "Transport: RTP/AVP;multicast,RTP/AVP/TCP;unicast"
    assert publisher.ask("SETUP", url, both) is None
    publisher.machine.setup_ok(track=0)
    assert "interleaved=0-1" in (publisher.taken().header("Transport") or "")


def test_who_has_no_deadline_here(dialogue: Dialogue) -> None:
    assert dialogue.machine.deadline() is None
    dialogue.read(TCP)
    assert dialogue.machine.deadline() is None
    publisher = Dialogue()
    publisher.publish(UDP)
    assert publisher.machine.deadline() is None
    publisher.pause()
    assert publisher.machine.deadline() is not None


def test_a_session_that_expires_while_a_decision_is_pending(dialogue: Dialogue) -> None:
    dialogue.read(UDP)
    assert dialogue.ask("PAUSE") is None
    dialogue.send("OPTIONS", "*", "Session: x")
    dialogue.machine.expire(dialogue.now + SESSION_TIMEOUT)
    assert [answer.status for answer in answers(dialogue.machine.to_send())] == [454, 454]
    with pytest.raises(RuntimeError):
        dialogue.machine.pause_ok()


# Order


def test_pipelined_requests_are_answered_in_order(dialogue: Dialogue) -> None:
    dialogue.send("OPTIONS", "*")
    dialogue.send("DESCRIBE", "rtsp://h/a")
    dialogue.send("OPTIONS", "*")
    dialogue.machine.receive(b"NONSENSE\r\n\r\n", dialogue.now)
    dialogue.send("DESCRIBE", "rtsp://h/b")
    dialogue.send("BREW", "rtsp://h/c")
    assert [answer.cseq for answer in answers(dialogue.machine.to_send())] == [1]
    assert dialogue.machine.events() == [events.DescribeRequested(path="a", query="", asker=ASKS_TO_SEE)]
    dialogue.machine.describe_ok(b"v=0\r\n")
    second = list(answers(dialogue.machine.to_send()))
    assert [(answer.cseq, answer.status) for answer in second] == [(2, 200), (3, 200), (None, 400)]
    dialogue.machine.refuse(Status.NOT_FOUND, "")
    third = list(answers(dialogue.machine.to_send()))
    assert [(answer.cseq, answer.status) for answer in third] == [(4, 404), (5, 501)]


def test_a_client_that_does_not_wait_is_cut_off(dialogue: Dialogue) -> None:
    for _ in range(PIPELINE_LIMIT + 1):
        dialogue.send("DESCRIBE", "rtsp://h/a")
    dialogue.send("DESCRIBE", "rtsp://h/a")  # one is being decided, the limit waits, this one is too many
    dialogue.machine.refuse(Status.NOT_FOUND, "")
    assert [answer.status for answer in answers(dialogue.machine.to_send())] == [404, 400]
    assert isinstance(dialogue.machine.events()[-1], events.Ended)
    dialogue.send("OPTIONS", "*")
    assert dialogue.machine.to_send() == b""


# Hostility


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (Refusal.HEAD_TOO_LARGE, 400),
        (Refusal.BODY_TOO_LARGE, 413),
        (Refusal.BAD_CONTENT_LENGTH, 400),
        (Refusal.NOT_RTSP, 400),
    ],
)
def test_bytes_that_are_no_message_end_the_connection(
    dialogue: Dialogue, refusal: Refusal, status: int
) -> None:
    dialogue.machine.malformed(refusal)
    answer = dialogue.taken()
    assert (answer.status, answer.cseq) == (status, None)
    assert isinstance(dialogue.news[-1], events.Ended)
    assert dialogue.ask("OPTIONS", "*") is None


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n" + b"A: b\r\n" * 10_000 + b"\r\n", 400),
        (b"OPTIONS * RTSP/1.0\r\n\r\n", 400),
        (b"OPTIONS * RTSP/2.0\r\nCSeq: 1\r\n\r\n", 505),
        (b"BREW rtsp://h/cam RTSP/1.0\r\nCSeq: 1\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"SETUP rtsp://h/a/trackID=0 RTSP/1.0\r\nCSeq: 1\r\nRequire: funky-feature\r\n\r\n", 551),
        (b"ANNOUNCE rtsp://h/a RTSP/1.0\r\nCSeq: 1\r\nContent-Type: text/plain\r\n\r\nv=0", 415),
        (b"ANNOUNCE rtsp://h/a RTSP/1.0\r\nCSeq: 1\r\nContent-Type: application/sdp\r\n\r\n", 400),
    ],
)
def test_messages_that_are_refused(dialogue: Dialogue, message: bytes, status: int) -> None:
    dialogue.machine.receive(message, dialogue.now)
    assert dialogue.taken().status == status
    assert dialogue.refusals[0].status == status
    assert dialogue.status("OPTIONS", "*") == 200, "the connection goes on"


def test_an_unknown_option_is_named(dialogue: Dialogue) -> None:
    answer = dialogue.ask("OPTIONS", "*", "Require: a", "Proxy-Require: b")
    assert answer is not None
    assert answer.header("Unsupported") == "a, b"


def test_an_answer_is_not_answered(dialogue: Dialogue) -> None:
    dialogue.machine.receive(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n", dialogue.now)
    assert dialogue.take() is None


METHODS = st.sampled_from([*Method, "BREW", ""])
URLS = st.sampled_from(
    ["*", "rtsp://h/cam", "rtsp://h/cam/trackID=0", "rtsp://h/cam/streamid=1", "rtsp://h/b", "x"]
)
HEADERS = st.sampled_from(
    [
        "Transport: RTP/AVP/TCP;interleaved=0-1",
        "Transport: RTP/AVP;client_port=5000-5001",
        "Transport: ;;,=",
        "Range: npt=0-",
        "Session: x",
        "Accept: */*",
        "Content-Type: application/sdp",
    ]
)
REQUESTS = st.tuples(METHODS, URLS, st.lists(HEADERS, max_size=3), st.sampled_from([b"", SDP, b"v=0"]))


@given(st.lists(REQUESTS | st.binary(max_size=120), max_size=25), st.randoms(use_true_random=False))
def test_whatever_comes_is_answered_once_in_order_and_raises_nothing(
    steps: list[bytes | tuple[str, str, list[str], bytes]], random: Random
) -> None:
    """Decisions are granted or refused at random; the machine is always in a state that its table knows."""
    dialogue = Dialogue()
    machine, asked, got = dialogue.machine, 0, 0
    for step in steps:
        if isinstance(step, bytes):
            data = step
        else:
            method, url, headers, body = step
            data = dialogue.message(method, url, *headers, body=body)
        asked += not data.startswith(b"RTSP/")
        machine.receive(data, dialogue.now)
        while batch := machine.events():
            for event in batch:
                _decide(machine, event, grant=random.random() < 0.8)
        for answer in answers(machine.to_send()):
            got += 1
            dialogue.session = (answer.header("Session") or dialogue.session).partition(";")[0]
        assert (machine.agreed.session_id is None) == (machine.agreed.state is State.INIT)
        assert (machine.agreed.path == "") == (machine.agreed.state is State.INIT)
    assert got == asked


def _decide(machine: ServerProtocol, event: events.Event, *, grant: bool) -> None:
    match event:
        case events.TornDown() | events.TimedOut() | events.RequestRefused() | events.Ended():
            return
        case _ if not grant:
            machine.refuse(Status.BAD_REQUEST, "at random")
        case events.DescribeRequested():
            machine.describe_ok(b"v=0\r\n")
        case events.AnnounceRequested():
            machine.announce_ok()
        case events.SetupRequested():
            machine.setup_ok(track=event.track or 0)
        case events.PlayRequested():
            machine.play_ok({0: Position(sequence=0, timestamp=0)})
        case events.RecordRequested():
            machine.record_ok()
        case events.PauseRequested():
            machine.pause_ok()
