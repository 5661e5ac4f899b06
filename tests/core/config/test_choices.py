from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from headgate.core.config.choices import Encryption, LogDestinations, LogLevel, RecordFormat, RtspTransports


@pytest.mark.parametrize(
    ("value", "mode"),
    [
        ("no", "no"),
        ("false", "no"),
        (False, "no"),
        ("optional", "optional"),
        ("strict", "strict"),
        ("yes", "strict"),
        ("true", "strict"),
        (True, "strict"),
    ],
)
def test_encryption_takes_yes_and_no(value: object, mode: str) -> None:
    assert TypeAdapter(Encryption).validate_python(value) is Encryption(mode)


@pytest.mark.parametrize(
    ("choice", "text"),
    [
        (LogLevel, "invalid log level: 'x' (one of error, warn, info, debug)"),
        (RecordFormat, "invalid record format 'x' (one of fmp4, mpegts)"),
        (Encryption, "invalid encryption: 'x' (one of no, optional, strict)"),
    ],
)
def test_another_word_is_told_with_the_right_ones(choice: type, text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(choice).validate_python("x")
    assert str(caught.value.errors()[0]["ctx"]["error"]) == text


def test_lists_of_words() -> None:
    assert TypeAdapter(RtspTransports).validate_python(["udp", "tcp", "udp"]) == ("tcp", "udp")
    assert TypeAdapter(LogDestinations).validate_python(["syslog", "file"]) == ("syslog", "file")
    with pytest.raises(ValidationError, match="set twice"):
        TypeAdapter(LogDestinations).validate_python(["file", "file"])
