"""Where clients put a track's control in a URL, and what a path is called."""

from __future__ import annotations

from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.media.rtsp.url import SIZE_LIMIT, Url


@pytest.mark.parametrize(
    ("text", "name", "query", "track"),
    [
        ("rtsp://h/cam", "cam", "", None),
        ("rtsp://h:8554/live/cam", "live/cam", "", None),
        ("RTSP://[::1]:8554/cam/", "cam", "", None),  # Content-Base's slash
        ("rtsp://h/cam?token=a", "cam", "token=a", None),
        ("rtsp://h/cam?token=a/", "cam", "token=a", None),
        ("rtsp://h/cam/trackID=0", "cam", "", 0),
        ("rtsp://h/cam/trackID=12/", "cam", "", 12),
        ("rtsp://h/cam?token=a/trackID=1", "cam", "token=a", 1),  # FFmpeg, VLC
        ("rtsp://h/cam/?token=a/trackID=1", "cam", "token=a", 1),
        ("rtsp://h/cam/trackID=1?token=a", "cam", "token=a", 1),  # GStreamer
        ("rtsp://h/cam?/trackID=1", "cam", "", 1),
        ("rtsp://h/a%2Db", "a-b", "", None),
    ],
)
def test_path_query_and_track(text: str, name: str, query: str, track: int | None) -> None:
    base, number = Url.parse(text).track
    assert (base.name, base.plain_query, number) == (name, query, track)


@pytest.mark.parametrize(
    ("control", "text", "name"),
    [
        ("streamid=0", "rtsp://h/cam/streamid=0", "cam"),
        ("streamid=1", "rtsp://h/cam/streamid=11", None),
        ("streamid=0", "rtsp://h/cam?q=1/streamid=0", "cam"),
        ("stream?id=1", "rtsp://h/cam/stream?id=1", "cam"),
        ("/stream=0", "rtsp://h/cam/stream=0", "cam"),
        ("stream=0", "rtsp://h/cam", None),
    ],
)
def test_a_publishers_own_control(control: str, text: str, name: str | None) -> None:
    base = Url.parse(text).without(control)
    assert (base.name if base else None) == name


def test_credentials_are_never_repeated() -> None:
    assert str(Url.parse("rtsp://user:secret@h:554/cam?q")) == "rtsp://h:554/cam?q"


def test_content_base_ends_in_a_slash() -> None:
    assert Url.parse("rtsp://h/cam").base == "rtsp://h/cam/"
    assert Url.parse("rtsp://h/cam/").base == "rtsp://h/cam/"
    assert Url.parse("rtsp://h/cam?q").base == "rtsp://h/cam/?q"
    assert urljoin(Url.parse("rtsp://h/a/b?q").base, "trackID=0") == "rtsp://h/a/b/trackID=0"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cam",
        "/cam",
        "http://h/cam",
        "rtsp://",
        "rtsp://h:99999/cam",
        "rtsp://h:x/cam",
        "rtsp://h/" + "a" * SIZE_LIMIT,
    ],
)
def test_what_is_no_rtsp_url(text: str) -> None:
    with pytest.raises(ValueError, match="not an RTSP URL"):
        Url.parse(text)


@given(st.text(max_size=200), st.text(max_size=20))
def test_parsing_raises_nothing_but_value_error(tail: str, control: str) -> None:
    for text in (tail, f"rtsp://h/{tail}", f"rtsp://{tail}/cam"):
        try:
            url = Url.parse(text)
        except ValueError:
            continue
        _ = (url.track, url.name, url.plain_query, url.without(control))
        assert Url.parse(str(url)) == url
