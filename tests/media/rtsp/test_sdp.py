"""Descriptions as publishers send them, and what readers and the engine are told of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.engine import Codec
from headgate.media.rtsp.message import ProtocolError
from headgate.media.rtsp.sdp import SIZE_LIMIT, SessionDescription
from headgate.media.rtsp.url import Url

FFMPEG = b"""v=0\r
o=- 0 0 IN IP4 10.1.2.3\r
s=No Name\r
c=IN IP4 10.1.2.3\r
t=0 0\r
a=tool:libavformat 59.27.100\r
m=video 0 RTP/AVP 96\r
b=AS:4000\r
a=rtpmap:96 H264/90000\r
a=fmtp:96 packetization-mode=1; sprop-parameter-sets=Z0LAHtkA2D3n//A=,aMuMsg==; profile-level-id=42C01E\r
a=control:streamid=0\r
m=audio 0 RTP/AVP 97\r
b=AS:128\r
a=rtpmap:97 MPEG4-GENERIC/44100/2\r
a=fmtp:97 profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3; config=1210\r
a=control:streamid=1\r
"""


def described(*lines: str, head: str = "v=0\ns=x\n") -> SessionDescription:
    return SessionDescription.parse((head + "\n".join(lines)).encode())


def test_readers_get_the_publishers_words_and_not_its_network() -> None:
    assert (
        SessionDescription.parse(FFMPEG).for_readers()
        == b"""v=0\r
o=- 0 0 IN IP4 127.0.0.1\r
s=No Name\r
c=IN IP4 0.0.0.0\r
t=0 0\r
a=tool:libavformat 59.27.100\r
a=control:*\r
m=video 0 RTP/AVP 96\r
b=AS:4000\r
a=rtpmap:96 H264/90000\r
a=fmtp:96 packetization-mode=1; sprop-parameter-sets=Z0LAHtkA2D3n//A=,aMuMsg==; profile-level-id=42C01E\r
a=control:trackID=0\r
m=audio 0 RTP/AVP 97\r
b=AS:128\r
a=rtpmap:97 MPEG4-GENERIC/44100/2\r
a=fmtp:97 profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3; config=1210\r
a=control:trackID=1\r
"""
    )


def test_what_the_engine_is_told() -> None:
    video, audio = SessionDescription.parse(FFMPEG).tracks
    assert (video.engine_track.codec, video.engine_track.clock_rate) == (Codec.H264, 90000)
    assert (audio.engine_track.codec, audio.engine_track.clock_rate) == (Codec.OPAQUE, 44100)
    assert (audio.formats[0].channels, video.labels, audio.labels) == (2, ("H264",), ("MPEG-4 Audio",))


@pytest.mark.parametrize(
    ("media", "rtpmap", "label", "codec", "clock_rate"),
    [
        ("video 0 RTP/AVP 96", "96 H265/90000", "H265", Codec.H265, 90000),
        ("video 0 RTP/AVP 96", "96 VP8/90000", "VP8", Codec.VP8, 90000),
        ("video 0 RTP/AVPF 96", "96 vp9/90000", "VP9", Codec.VP9, 90000),
        ("video 0 RTP/AVP 96", "96 AV1/90000", "AV1", Codec.AV1, 90000),
        ("video 0 RTP/AVP 26", None, "M-JPEG", Codec.OPAQUE_VIDEO, 90000),
        ("video 0 RTP/AVP 33", None, "MPEG-TS", Codec.OPAQUE_VIDEO, 90000),
        ("video 0 RTP/AVP 99", "99 X-NEW/12345", "Generic", Codec.OPAQUE_VIDEO, 12345),
        ("video 0 RTP/AVP 99", None, "Generic", Codec.OPAQUE_VIDEO, 90000),
        ("video 0 RTP/AVP 99", "99 X-NEW/0", "Generic", Codec.OPAQUE_VIDEO, 90000),
        ("video 0 RTP/AVP 99", "99 X-NEW/99999999999", "Generic", Codec.OPAQUE_VIDEO, 90000),
        ("video 0 RTP/AVP 99", "99 X-NEW", "Generic", Codec.OPAQUE_VIDEO, 90000),
        ("video 0 RTP/AVP 96", "96 MP4V-ES/90000", "MPEG-4 Video", Codec.OPAQUE_VIDEO, 90000),
        ("audio 0 RTP/AVP 97", "97 opus/48000/2", "Opus", Codec.OPAQUE, 48000),
        ("audio 0 RTP/AVP 0", None, "G711", Codec.OPAQUE, 8000),
        ("audio 0 RTP/AVP 8", "8 PCMA/8000", "G711", Codec.OPAQUE, 8000),
        ("audio 0 RTP/AVP 9", None, "G722", Codec.OPAQUE, 8000),
        ("audio 0 RTP/AVP 14", None, "MPEG-1/2 Audio", Codec.OPAQUE, 90000),
        ("audio 0 RTP/AVP 97", "97 L16/44100/2", "LPCM", Codec.OPAQUE, 44100),
        ("audio 0 RTP/AVP 97", "97 AC3/48000", "AC-3", Codec.OPAQUE, 48000),
        ("application 0 RTP/AVP 98", "98 vnd.onvif.metadata/90000", "Generic", Codec.OPAQUE, 90000),
        ("doom 0 RTP/AVP 98", "98 x/1000", "Generic", Codec.OPAQUE, 1000),
    ],
)
def test_codecs(media: str, rtpmap: str | None, label: str, codec: Codec, clock_rate: int) -> None:
    (track,) = described(f"m={media}", *([f"a=rtpmap:{rtpmap}"] if rtpmap else [])).tracks
    assert track.labels == (label,)
    assert (track.engine_track.codec, track.engine_track.clock_rate) == (codec, clock_rate)


def test_the_main_format_decides_and_every_format_is_labelled() -> None:
    (track,) = described("m=video 0 RTP/AVP 97 96", "a=rtpmap:97 rtx/8000", "a=rtpmap:96 H264/90000").tracks
    assert track.labels == ("Generic", "H264")
    assert (track.engine_track.codec, track.engine_track.clock_rate) == (Codec.H264, 90000)


def test_a_camera_that_writes_badly_is_understood() -> None:
    description = described(
        "m=video 0 RTP/AVP 96 ",
        "a=rtpmap:96  H264/90000 ",
        "",
        "this is no line",
        "a=",
        "a=x-dimensions: 1920, 1080",
        "m=audio 0 RTP/AVP 0\0",
        head="v=0\r\ns= \r\n\n",
    )
    assert [track.labels for track in description.tracks] == [("H264",), ("G711",)]
    answer = description.for_readers()
    assert b"s=-\r\n" in answer
    assert b"a=x-dimensions: 1920, 1080\r\n" in answer


def test_what_spoke_of_the_publishers_network_is_left_out() -> None:
    answer = described(
        "m=video 5004 RTP/AVPF 96",
        "c=IN IP4 10.0.0.1",
        "a=rtpmap:96 VP8/90000",
        "a=candidate:1 1 UDP 1 10.0.0.1 5004 typ host",
        "a=ICE-PWD:x",
        "a=sendonly",
        "a=rtcp:5005",
        "a=rtcp-mux",
        "a=rtcp-fb:96 nack pli",
        head="v=0\ns=x\na=recvonly\na=range:npt=0-10\na=group:BUNDLE 0\na=control:rtsp://10.0.0.1/x\n",
    ).for_readers()
    assert b"10.0.0.1" not in answer
    assert b"m=video 0 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack pli\r\na=control" in answer
    for word in (b"only", b"range", b"group", b"mux", b"PWD", b"5004", b"5005"):
        assert word not in answer


def test_bytes_that_are_not_utf8_leave_as_they_came() -> None:
    raw = b"v=0\ns=caf\xe9\nm=audio 0 RTP/AVP 0\na=x:\xff\xfe\n"
    answer = SessionDescription.parse(raw).for_readers()
    assert b"s=caf\xe9\r\n" in answer
    assert b"a=x:\xff\xfe\r\n" in answer


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 400),
        (b"v=0\r\n", 400),
        (b"v=0\nm=video\n", 400),
        (b"v=0\nm=video 0 RTP/AVP x 128 999\n", 400),
        (b"v=0\nm=video 0 RTP/SAVP 96\n", 400),
        (b"v=0\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\n", 400),
        (b"v=0\n" + b"m=audio 0 RTP/AVP 0\n" * 65, 400),
        (b"v=0\nm=audio 0 RTP/AVP 0\n" + b"a=x\n" * 2048, 400),
        (b"v=0\n" * SIZE_LIMIT, 413),
    ],
)
def test_what_is_refused(data: bytes, status: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        SessionDescription.parse(data)
    assert caught.value.status == status


def test_64_tracks_are_taken_and_a_secure_one_beside_them_is_left_out() -> None:
    assert len(described(*["m=audio 0 RTP/AVP 0"] * 64).tracks) == 64
    assert len(described("m=audio 0 RTP/SAVP 0", "m=audio 0 RTP/AVP 0").tracks) == 1


@pytest.mark.parametrize(
    ("controls", "url", "found"),
    [
        (["streamid=0", "streamid=1"], "rtsp://h/cam/streamid=1", 1),
        (["streamid=1", "streamid=11"], "rtsp://h/cam/streamid=11", 1),
        (["streamid=0", "streamid=1"], "rtsp://h/cam?q/streamid=1", 1),
        (["streamid=0", "streamid=1"], "rtsp://h/other/streamid=1", None),
        (["streamid=0", "streamid=1"], "rtsp://h/cam", None),
        (["rtsp://10.0.0.1/cam/a", "rtsp://10.0.0.1/cam/b"], "rtsp://h/cam/b", 1),
        (["rtsp://10.0.0.1/cam/a"], "rtsp://h/cam/c", None),
        (["rtsp://:x/", "b"], "rtsp://h/cam/b", 1),
        (["", ""], "rtsp://h/cam", 1),  # 0 is set up already
        (["*"], "rtsp://h/cam", None),
    ],
)
def test_which_announced_track_a_url_means(controls: list[str], url: str, found: int | None) -> None:
    lines = [line for control in controls for line in ("m=audio 0 RTP/AVP 0", f"a=control:{control}")]
    base, track = described(*lines).find(Url.parse(url), path="cam", taken={0})
    assert track == found
    if found is not None:
        assert base.name == "cam"


@given(st.binary(max_size=600) | st.text("vmasbct=: /\n0129AVPRTrtpmap", max_size=600).map(str.encode))
def test_parsing_raises_nothing_but_protocol_errors(data: bytes) -> None:
    try:
        description = SessionDescription.parse(b"v=0\nm=video 0 RTP/AVP 96\n" + data)
    except ProtocolError:
        return
    again = SessionDescription.parse(description.for_readers())
    assert [track.labels for track in again.tracks] == [track.labels for track in description.tracks]
    assert all(track.engine_track.clock_rate > 0 for track in description.tracks)
