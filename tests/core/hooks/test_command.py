"""Command lines are split as a shell splits them, and nothing else of a shell happens."""

from __future__ import annotations

import pytest

from headgate.core.hooks.command import expand, words


def test_words_are_a_shells() -> None:
    assert words("""ffmpeg -i "a b" 'c "d"' e\\ f $X;ls""") == (
        "ffmpeg",
        "-i",
        "a b",
        'c "d"',
        "e f",
        "$X;ls",
    )


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("'", "not a command line: no closing quotation"),
        ("a \\", "not a command line"),
        ("", "names no program"),
        ("''", "names no program"),
        ("a\0b", "NUL"),
    ],
)
def test_what_is_no_command_line(line: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        words(line)


def test_a_value_stays_within_its_argument() -> None:
    parts = words(
        "play rtsp://localhost:$RTSP_PORT/${MTX_PATH}_low '$MTX_PATH $G1' $G10 $HOME $$ ${ $MTX_PATHX"
    )
    variables = {"RTSP_PORT": "8554", "MTX_PATH": "a b; c", "G1": "'", "G10": "ten"}
    assert expand(parts, variables) == [
        "play",
        "rtsp://localhost:8554/a b; c_low",
        "a b; c '",
        "ten",
        "$HOME",
        "$$",
        "${",
        "$MTX_PATHX",
    ]


def test_a_value_is_not_looked_into_again() -> None:
    assert expand(["$A"], {"A": "$B", "B": "no"}) == ["$B"]
