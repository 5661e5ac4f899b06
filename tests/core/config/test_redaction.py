from __future__ import annotations

from typing import Any

import pytest

from headgate.core.config.redaction import REDACTED, has_redacted, keep

USERS = [{"user": "ann", "pass": "one", "ips": []}, {"user": "bob", "pass": "two", "ips": []}]


@pytest.mark.parametrize(
    ("given", "current", "kept"),
    [
        ("plain", "secret", "plain"),
        (REDACTED, "secret", "secret"),
        (f"rtsp://u:{REDACTED}@h", "rtsp://u:p@h", "rtsp://u:p@h"),
        ([{"user": "bob", "pass": REDACTED, "ips": ["::1"]}], USERS, [{**USERS[1], "ips": ["::1"]}]),
        (
            [{"user": "new", "pass": "x"}, {**USERS[0], "pass": REDACTED}],
            USERS,
            [{"user": "new", "pass": "x"}, USERS[0]],
        ),
        ([REDACTED], ["secret"], ["secret"]),
    ],
)
def test_the_secret_stays(given: Any, current: Any, kept: Any) -> None:
    assert keep(given, current) == kept
    assert not has_redacted(kept)


def test_twins_are_told_apart_by_their_places() -> None:
    current = [{"user": "any", "pass": "1"}, {"user": "any", "pass": "2"}]
    assert keep([{"user": "any", "pass": REDACTED}] * 2, current) == current


@pytest.mark.parametrize(
    ("given", "current"),
    [
        (REDACTED, ""),
        (REDACTED, None),
        (f"rtsp://u:{REDACTED}@elsewhere", "rtsp://u:p@h"),
        ([{"user": "eve", "pass": REDACTED}], USERS),
        ([{"pass": REDACTED}], USERS),
        ([REDACTED], []),
        ({"a": REDACTED}, {}),
    ],
)
def test_where_there_is_none_it_is_refused(given: Any, current: Any) -> None:
    with pytest.raises(ValueError, match="none to keep"):
        keep(given, current)
