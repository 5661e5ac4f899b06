"""A request read by itself: what it proposes, what it is refused for, and that nothing is agreed by it."""

from __future__ import annotations

import pytest

from headgate.media.rtsp import events
from headgate.media.rtsp.agreement import Agreement, SetupTrack
from headgate.media.rtsp.key_mgmt import Keyring, key_mgmt_header
from headgate.media.rtsp.message import Method, ProtocolError, Request, Status
from headgate.media.rtsp.proposal import Proposals
from headgate.media.rtsp.sdp import SessionDescription
from headgate.media.rtsp.state import State
from headgate.media.rtsp.transport import Lower, Mode, Pair, Transport, choose
from headgate.media.rtsp.url import Url
from tests.media.rtsp.dialogue import SDP, TCP, UDP

TRACK = "rtsp://h/cam/trackID=0"
OVER_TCP = f"Transport: {TCP}"


def request(method: str, url: str, *headers: str, body: bytes = b"") -> Request:
    head = "\r\n".join([f"{method} {url} RTSP/1.0", "CSeq: 1", *headers, f"Content-Length: {len(body)}"])
    return Request.parse(head.encode() + b"\r\n\r\n" + body)


@pytest.fixture
def agreed() -> Agreement:
    return Agreement(make_id=lambda: "id")


@pytest.fixture
def proposals(agreed: Agreement) -> Proposals:
    return Proposals(agreed, transports=frozenset(Lower), tls=False)


def set_up(agreed: Agreement, track: int) -> None:
    transport = Transport(offer=choose(TCP, allowed={Lower.TCP}), pair=Pair(2 * track, 2 * track + 1))
    agreed.tracks[track] = SetupTrack(url=Url.parse(f"rtsp://h/cam/trackID={track}"), transport=transport)
    agreed.move(Method.SETUP, path="cam")


def test_nothing_is_agreed_by_a_proposal(agreed: Agreement, proposals: Proposals) -> None:
    announced = proposals.announce(request("ANNOUNCE", "rtsp://h/cam", body=SDP))
    offered = proposals.setup(request("SETUP", TRACK, f"{OVER_TCP};mode=play"))
    assert isinstance(announced.decision, events.AnnounceRequested)
    assert announced.description is announced.decision.description
    assert isinstance(offered.decision, events.SetupRequested)
    assert (offered.decision.lower, offered.replaces) == (Lower.TCP, False)
    assert offered.offer is not None
    assert offered.offer.mode is Mode.PLAY
    assert (agreed.state, agreed.path, agreed.tracks, agreed.announced) == (State.INIT, "", {}, None)


def test_a_paused_session_is_replaced_by_who_names_none(agreed: Agreement, proposals: Proposals) -> None:
    set_up(agreed, 0)
    agreed.move(Method.PLAY, path="cam")
    agreed.move(Method.PAUSE, path="cam")
    again = proposals.setup(request("SETUP", TRACK, f"Transport: {UDP.format(5000, 5001)}"))
    assert again.replaces
    assert (agreed.state, list(agreed.tracks)) == (State.PLAY_PAUSED, [0]), "whoever obeys it ends that"


def test_a_session_is_controlled_as_a_whole(agreed: Agreement, proposals: Proposals) -> None:
    set_up(agreed, 0)
    assert proposals.play(request("PLAY", TRACK)).decision == events.PlayRequested()
    set_up(agreed, 1)
    assert proposals.play(request("PLAY", "rtsp://h/cam")).decision == events.PlayRequested()
    for url, status in (
        (TRACK, Status.ONLY_AGGREGATE_OPERATION_ALLOWED),
        ("rtsp://h/other", Status.NOT_FOUND),
        ("*", Status.BAD_REQUEST),
    ):
        with pytest.raises(ProtocolError) as refused:
            proposals.check_teardown(request("TEARDOWN", url))
        assert refused.value.status is status
    for propose in (proposals.pause, proposals.record):
        with pytest.raises(ProtocolError) as refused:
            propose(request("PAUSE", "rtsp://h/cam"))
        assert refused.value.status is Status.METHOD_NOT_VALID_IN_THIS_STATE


def test_a_client_says_what_it_sends_with_over_tls_only(agreed: Agreement, proposals: Proposals) -> None:
    ours = Keyring().key(0, ssrc=7)
    asked = request("SETUP", TRACK, OVER_TCP, "KeyMgmt: " + key_mgmt_header(ours, url=TRACK))
    assert proposals.setup(asked).their_key is None
    secure = Proposals(agreed, transports=frozenset(Lower), tls=True)
    with pytest.raises(ProtocolError, match="key management"):
        secure.setup(request("SETUP", TRACK, OVER_TCP, "KeyMgmt: prot=mikey"))
    savp = request(
        "SETUP", TRACK, OVER_TCP.replace("AVP", "SAVP"), "KeyMgmt: " + key_mgmt_header(ours, url=TRACK)
    )
    assert secure.setup(savp).their_key == ours


def test_a_publisher_is_offered_no_group(agreed: Agreement, proposals: Proposals) -> None:
    agreed.announced = SessionDescription.parse(SDP)
    agreed.move(Method.ANNOUNCE, path="cam")
    url = "rtsp://h/cam/streamid=1"
    with pytest.raises(ProtocolError):
        proposals.setup(request("SETUP", url, "Transport: RTP/AVP;multicast;mode=record"))
    asked = proposals.setup(request("SETUP", url, f"{OVER_TCP};mode=record")).decision
    assert isinstance(asked, events.SetupRequested)
    assert asked.track == 1
