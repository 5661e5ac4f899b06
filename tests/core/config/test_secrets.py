from __future__ import annotations

from headgate.core.config.secrets import REDACTED, redacted, redacted_query, redacted_url

DOCUMENT = {
    "authInternalUsers": [
        {"user": "a", "pass": "canary1", "ips": []},
        {"user": "b", "pass": "canary2"},
        {"user": "any", "pass": ""},
    ],
    "authHTTPAddress": "https://u:canary3@host/x?token=canary4&a=b",
    "webrtcICEServers2": [{"url": "turn:x", "username": "u", "password": "canary5"}],
    "source": "rtsp://u:can@ary6@host/cam",
    "srtReadPassphrase": "canary7-long",
    "applications": {"accessToken": "canary8"},
    "maxReaders": 3,
}


def test_nothing_secret_is_left() -> None:
    shown = redacted(DOCUMENT)
    assert "canary" not in str(shown)
    assert "ary6" not in str(shown)
    assert shown["authHTTPAddress"] == f"https://{REDACTED}@host/x?token={REDACTED}&a=b"
    assert shown["authInternalUsers"][2]["pass"] == ""
    assert shown["maxReaders"] == 3
    assert DOCUMENT["applications"] == {"accessToken": "canary8"}, "the given one stays as it is"


def test_urls_and_queries() -> None:
    assert redacted_url("rtsp://host:554/a@b") == "rtsp://host:554/a@b"
    assert redacted_query("a=b&JWT=x.y.z&keyframe=1") == f"a=b&JWT={REDACTED}&keyframe=1"
    assert redacted_query("plain") == "plain"
