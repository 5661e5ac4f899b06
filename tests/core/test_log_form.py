"""Nothing a client has sent can look like a line of ours, or fill a disk."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from headgate.core.config.choices import LogFormat
from headgate.core.log_form import LINE_LIMIT, form_of

NASTY = "a\nb\rc\x1b[31md\x00e\x7ff\u2028g\u202eh\ud800i"


def record(message: str, *arguments: object, level: int = logging.INFO) -> logging.LogRecord:
    return logging.LogRecord("headgate.x", level, __file__, 1, message, arguments, None)


def failure() -> logging.LogRecord:
    try:
        raise ValueError("no\n2026-01-01 00:00:00 INFO    a line of its own")  # noqa: TRY301
    except ValueError:
        failed = record("a bug")
        failed.exc_info = sys.exc_info()
        return failed


def test_control_characters_are_escaped_in_text() -> None:
    line = form_of(LogFormat.TEXT).format(record("client %s", NASTY))
    assert line.endswith(r"INFO    client a\nb\rc\x1b[31md\x00e\x7ff\u2028g\u202eh\ud800i")
    assert line.isprintable()


def test_other_languages_are_left_alone() -> None:
    assert form_of(LogFormat.TEXT).format(record("été 日本")).endswith("été 日本")


def test_a_traceback_keeps_its_lines_and_none_looks_like_another() -> None:
    first, *rest = form_of(LogFormat.TEXT).format(failure()).split("\n")
    assert first.endswith("a bug")
    assert len(rest) > 3
    assert all(line.startswith("    ") for line in rest)


@pytest.mark.parametrize("form", LogFormat)
def test_a_line_is_as_long_as_it_may_be(form: LogFormat) -> None:
    line = form_of(form).format(record("x" * 1_000_000))
    assert len(line) < LINE_LIMIT + 500
    assert f"{1_000_000 - LINE_LIMIT} more characters" in line


def test_json_is_one_object_a_line() -> None:
    line = form_of(LogFormat.JSON).format(record("client %s", NASTY, level=logging.WARNING))
    assert "\n" not in line
    document = json.loads(line)
    assert document["message"] == "client " + NASTY.replace("\ud800", "?")
    assert (document["level"], document["logger"]) == ("warning", "headgate.x")
    assert document["time"].endswith("Z")


def test_json_has_the_traceback() -> None:
    document = json.loads(form_of(LogFormat.JSON).format(failure()))
    assert document["message"] == "a bug"
    assert "ValueError: no" in document["traceback"]
