from __future__ import annotations

from typing import Any

import pytest

from headgate.core.config.secrets import REDACTED, redacted, redacted_query, redacted_url, restored

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


def test_what_was_read_may_be_written_back() -> None:
    assert restored(redacted(DOCUMENT), DOCUMENT) == DOCUMENT


def test_users_are_known_by_their_names() -> None:
    users: list[Any] = redacted(DOCUMENT)["authInternalUsers"]
    turned = {"authInternalUsers": [users[1], {"user": "c", "pass": "new"}, users[0]]}
    passwords = [one["pass"] for one in restored(turned, DOCUMENT)["authInternalUsers"]]
    assert passwords == ["canary2", "new", "canary1"]


@pytest.mark.parametrize(
    "document",
    [
        {"authInternalUsers": [{"user": "nobody", "pass": REDACTED}]},
        {"srtPublishPassphrase": REDACTED},
        {"source": f"rtsp://{REDACTED}@elsewhere/cam"},
        {"maxReaders": REDACTED},
    ],
)
def test_a_placeholder_for_nothing(document: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not there"):
        restored(document, DOCUMENT)


def test_urls_and_queries() -> None:
    assert redacted_url("rtsp://host:554/a@b") == "rtsp://host:554/a@b"
    assert redacted_query("a=b&JWT=x.y.z&keyframe=1") == f"a=b&JWT={REDACTED}&keyframe=1"
    assert redacted_query("plain") == "plain"
