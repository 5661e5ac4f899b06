"""SRTP in the server's dialogue, and between our own client and it."""

from __future__ import annotations

from headgate.engine import SrtpKey, SrtpSuite
from headgate.media.rtsp import events
from headgate.media.rtsp.key_mgmt import Keyring, key_mgmt_header, parse_attribute, parse_header
from headgate.media.rtsp.message import Response
from headgate.media.rtsp.sdp import SessionDescription
from headgate.media.rtsp.state import State
from headgate.media.rtsp.transport import Lower
from tests.media.rtsp.dialogue import SDP, Dialogue

READABLE = SessionDescription.parse(SDP).for_readers()
UDP = "Transport: RTP/SAVP;unicast;client_port={}"
TCP = "Transport: RTP/SAVP/TCP;unicast;interleaved={}"


def tls(**changes: frozenset[Lower]) -> Dialogue:
    return Dialogue(tls=True, **changes)


def described(dialogue: Dialogue) -> SessionDescription:
    assert dialogue.ask("DESCRIBE", "rtsps://h/cam") is None
    dialogue.machine.describe_ok(READABLE, ssrcs=[7, None])
    return SessionDescription.parse(dialogue.taken().body)


def key_of(text: str | None) -> bytes:
    assert text is not None
    return (parse_attribute(text) if text.startswith("mikey") else parse_header(text)).key


def header(keys: Keyring, track: int = 0) -> str:
    return "KeyMgmt: " + key_mgmt_header(keys.key(track), url="rtsps://h/cam/trackID=0")


def set_up(dialogue: Dialogue, keys: Keyring, track: int, *, transport: str = UDP) -> Response:
    url = f"rtsps://h/cam/trackID={track}"
    ports = f"{5000 + 2 * track}-{5001 + 2 * track}" if transport == UDP else f"{2 * track}-{2 * track + 1}"
    assert dialogue.ask("SETUP", url, transport.format(ports), header(keys, track)) is None
    dialogue.machine.setup_ok(track=track, ssrc=7)
    return dialogue.taken()


def srtp_keys(dialogue: Dialogue, track: int) -> tuple[SrtpKey, SrtpKey]:
    srtp = dialogue.machine.agreed.tracks[track].srtp
    assert srtp is not None
    return srtp.send, srtp.receive


def test_a_reader_gets_the_keys_it_was_told_of() -> None:
    for transport in (UDP, TCP):
        dialogue, theirs = tls(), Keyring()
        description = described(dialogue)
        for track in range(2):
            answer = set_up(dialogue, theirs, track, transport=transport)
            assert answer.status == 200
            assert (answer.header("Transport") or "").startswith(transport.format("").partition(";")[0][11:])
            send, receive = srtp_keys(dialogue, track)
            assert key_of(description.key_mgmt(track)) == key_of(answer.header("KeyMgmt")) == send.key
            assert receive.key == theirs.key(track).key
        assert dialogue.machine.agreed.secured
        first, second = srtp_keys(dialogue, 0)[0], srtp_keys(dialogue, 1)[0]
        assert first.key != second.key


def test_the_next_session_has_other_keys() -> None:
    dialogue, theirs = tls(), Keyring()
    described(dialogue)
    set_up(dialogue, theirs, 0)
    before, _ = srtp_keys(dialogue, 0)
    assert dialogue.status("TEARDOWN", "rtsps://h/cam") == 200
    dialogue.session = ""
    answer = set_up(dialogue, theirs, 0)
    after, _ = srtp_keys(dialogue, 0)
    assert after.key != before.key
    assert key_of(answer.header("KeyMgmt")) == after.key


def test_no_keys_where_they_would_be_seen_or_not_used() -> None:
    for dialogue in (Dialogue(), tls(transports=frozenset({Lower.TCP}))):
        description = described(dialogue)
        assert not description.medias[0].secured
        assert description.key_mgmt(0) is None


def test_srtp_without_tls_or_a_usable_key_is_refused() -> None:
    keys = Keyring()
    url, ports = "rtsps://h/cam/trackID=0", UDP.format("5000-5001")
    assert Dialogue().status("SETUP", url, ports, header(keys)) == 461
    assert tls().status("SETUP", url, ports) == 461
    assert tls().status("SETUP", url, ports, 'KeyMgmt: prot=mikey;uri="";data="AQAF"') == 461
    assert tls().status("SETUP", url, ports.replace("SAVP", "AVP"), header(keys)) == 461


def announced(keys: Keyring, *, at: str) -> bytes:
    attribute = (
        b"a=key-mgmt:mikey " + key_mgmt_header(keys.key(0), url="").partition('data="')[2][:-1].encode()
    )
    media = SDP.replace(b"RTP/AVP", b"RTP/SAVP")
    if at == "session":
        return media.replace(b"t=0 0\r\n", b"t=0 0\r\n" + attribute + b"\r\n")
    return media.replace(b"a=control", attribute + b"\r\na=control")


def test_a_publisher_says_its_key_in_the_description_or_in_setup() -> None:
    for at in ("session", "media"):
        dialogue, theirs, other = tls(), Keyring(), Keyring()
        theirs.key(0, suite=SrtpSuite.AEAD_AES_128_GCM)
        dialogue.announce("rtsps://h/cam", body=announced(theirs, at=at))
        url, transport = "rtsps://h/cam/streamid={}", UDP + ";mode=record"
        assert dialogue.ask("SETUP", url.format(0), transport.format("5000-5001")) is None
        dialogue.machine.setup_ok(track=0)
        answer = dialogue.taken()
        send, receive = srtp_keys(dialogue, 0)
        assert receive.key == theirs.key(0).key
        assert send.suite is SrtpSuite.AEAD_AES_128_GCM, "what it speaks"
        assert key_of(answer.header("KeyMgmt")) == send.key
        assert dialogue.ask("SETUP", url.format(1), transport.format("5002-5003"), header(other)) is None
        dialogue.machine.setup_ok(track=1)
        assert dialogue.taken().status == 200
        assert srtp_keys(dialogue, 1)[1].key == other.key(0).key


def test_a_publisher_over_srtp_does_not_record_again() -> None:
    dialogue, theirs = tls(), Keyring()
    dialogue.announce("rtsps://h/cam", body=announced(theirs, at="session"))
    for track in range(2):
        transport = UDP.format(f"{5000 + 2 * track}-{5001 + 2 * track}") + ";mode=record"
        assert dialogue.ask("SETUP", f"rtsps://h/cam/streamid={track}", transport) is None
        dialogue.machine.setup_ok(track=track)
        dialogue.taken()
    dialogue.record()
    assert dialogue.machine.agreed.state is State.RECORDING
    dialogue.pause()
    assert dialogue.status("RECORD") == 455
    assert dialogue.status("TEARDOWN") == 200
    assert isinstance(dialogue.news[-1], events.TornDown)
