from __future__ import annotations

import pytest

from headgate.media.rtsp.location import Location, control_url
from headgate.media.rtsp.login import Credentials
from headgate.media.rtsp.url import Url


def test_a_source() -> None:
    location = Location.parse("rtsp://bob:s%20p%40ss@cam.example:8554/live/1?profile=2")
    assert (location.host, location.port, location.encrypted) == ("cam.example", 8554, False)
    assert location.credentials == Credentials(user="bob", password="s p@ss")
    assert str(location) == "rtsp://cam.example:8554/live/1?profile=2"
    assert "ss" not in repr(location.credentials)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("rtsp://10.0.0.1/x", "10.0.0.1", 554), ("RTSPS://[fe80::1]/x", "fe80::1", 322)],
)
def test_usual_ports(text: str, host: str, port: int) -> None:
    location = Location.parse(text)
    assert (location.host, location.port, location.credentials) == (host, port, None)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "rtsp://",
            "/cam",
            "file:///etc/passwd",
            "http://h/x",
            "rtspu://h/x",
            "gopher://h:1/x",
            "rtsp://h:99999/x",
        ),
        *("rtsp://h/a b", "rtsp://h/a\r\nX: y", "rtsp://u:p%0d%0aX@h/a", "rtsp://h/\x00", "rtsp://[::1/x"),
    ],
)
def test_what_is_no_source(text: str) -> None:
    with pytest.raises(ValueError, match=r"URL|password"):
        Location.parse(text)


def test_a_redirection_keeps_secrets_where_they_belong() -> None:
    here = Location.parse("rtsp://bob:pw@a/x")
    assert here.redirected("rtsp://a/y").credentials == here.credentials
    assert here.redirected("rtsp://b/y").credentials is None
    assert here.redirected("rtsp://a:555/y").credentials is None
    assert here.redirected("rtsps://a:554/y").encrypted
    for bad in ("", "/y", "http://a/y", "file:///y"):
        with pytest.raises(ValueError, match="URL"):
            here.redirected(bad)
    with pytest.raises(ValueError, match="rtsps"):
        Location.parse("rtsps://a/x").redirected("rtsp://a/x")


@pytest.mark.parametrize(
    ("base", "control", "expected"),
    [
        ("rtsp://h/cam", "", "rtsp://h/cam"),
        ("rtsp://h/cam/", "*", "rtsp://h/cam/"),
        ("rtsp://h/cam", "trackID=0", "rtsp://h/cam/trackID=0"),
        ("rtsp://h/cam/", "trackID=0", "rtsp://h/cam/trackID=0"),
        ("rtsp://h/cam?q=1", "trackID=0", "rtsp://h/cam?q=1/trackID=0"),
        ("rtsp://h/cam/", "?ctype=video", "rtsp://h/cam/?ctype=video"),
        ("rtsp://h:554/cam", "rtsp://10.0.0.1:8554/other/t?x=1", "rtsp://h:554/other/t?x=1"),
        ("rtsp://h/cam/", "/abs/t", "rtsp://h/abs/t"),
    ],
)
def test_controls(base: str, control: str, expected: str) -> None:
    assert str(control_url(Url.parse(base), control)) == expected


@pytest.mark.parametrize("control", ["a b", "a\tb", "a\x00", "x" * 4000, "http://h/x"])
def test_controls_that_are_none(control: str) -> None:
    with pytest.raises(ValueError, match=r"control|URL"):
        control_url(Url.parse("rtsp://h/cam"), control)
