"""How a log line looks: text for people, JSON for programs. Nothing in it can make another line."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime

from pydantic_core import to_json

from headgate.core.config.choices import LogFormat
from headgate.core.timestamp import rfc3339

__all__ = ["LINE_LIMIT", "JsonForm", "TextForm", "form_of"]

LINE_LIMIT = 8192
"""Characters of a message; a traceback is longer than any text of a client, and not as long as that."""
TEXT = "%(asctime)s %(levelname)-7s %(message)s"
# C0 and C1 controls, the line separators of Unicode, and those that turn the direction of writing.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class TextForm(logging.Formatter):
    """What a client has sent shows in it with its control characters escaped. Our own tracebacks keep
    their lines, indented, so that none of them looks like a line of its own.
    """

    def __init__(self) -> None:
        super().__init__(TEXT)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's name)
        record.message = _escaped(_bounded(record.message))
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        first, *rest = super().format(record).split("\n")
        return "\n".join([first, *(f"    {_escaped(line)}" for line in _last(rest))])


class JsonForm(logging.Formatter):
    """One object a line."""

    def format(self, record: logging.LogRecord) -> str:
        document = {
            "time": rfc3339(datetime.fromtimestamp(record.created, UTC), timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _bounded(record.getMessage()).encode(errors="replace").decode(),
        }
        if record.exc_info:
            lines = self.formatException(record.exc_info).split("\n")
            document["traceback"] = "\n".join(_last(lines)).encode(errors="replace").decode()
        return to_json(document).decode()


def form_of(word: LogFormat) -> logging.Formatter:
    return JsonForm() if word is LogFormat.JSON else TextForm()


def _escaped(text: str) -> str:
    return CONTROL.sub(lambda match: match[0].encode("unicode_escape", "surrogatepass").decode(), text)


def _bounded(text: str) -> str:
    more = len(text) - LINE_LIMIT
    return text if more <= 0 else f"{text[:LINE_LIMIT]} … {more} more characters"


def _last(lines: list[str]) -> list[str]:
    """The end of a traceback, which says what went wrong, as far as it may be long."""
    kept: list[str] = []
    size = 0
    for line in reversed(lines):
        size += len(line) + 1
        if size > LINE_LIMIT:
            kept.append("…")
            break
        kept.append(line)
    return kept[::-1]
