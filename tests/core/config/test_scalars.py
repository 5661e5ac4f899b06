from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from headgate.core.config.scalars import HttpEncryption, Natural, Real, Switch, Whole


@pytest.mark.parametrize(
    ("value", "truth"),
    [("yes", True), ("Yes", True), ("on", True), ("true", True), (True, True), ("no", False), ("OFF", False)],
)
def test_yes_and_no(value: object, truth: bool) -> None:  # noqa: FBT001
    assert TypeAdapter(Switch).validate_python(value) is truth


@pytest.mark.parametrize("value", ["maybe", "", "1", 1, None, [], "y"])
def test_neither_yes_nor_no(value: object) -> None:
    with pytest.raises(ValidationError, match="must be yes or no"):
        TypeAdapter(Switch).validate_python(value)


def test_http_encryption_takes_the_words_of_rtsp() -> None:
    assert TypeAdapter(HttpEncryption).validate_python("strict") is True
    assert TypeAdapter(HttpEncryption).validate_python("no") is False
    with pytest.raises(ValidationError, match="optional"):
        TypeAdapter(HttpEncryption).validate_python("optional")


@pytest.mark.parametrize(("value", "number"), [("512", 512), (512, 512), ("-3", -3), ("007", 7)])
def test_whole_numbers(value: object, number: int) -> None:
    assert TypeAdapter(Whole).validate_python(value) == number


@pytest.mark.parametrize(
    "value", ["5.0", 5.0, "1_000", " 5", "", True, None, "0x10", 2**31, "99999999999", "٣"]
)
def test_no_whole_numbers(value: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Whole).validate_python(value)


def test_natural_numbers_are_not_negative() -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Natural).validate_python("-1")


def test_real_numbers_print_as_json_numbers_of_go() -> None:
    real = TypeAdapter(Real)
    assert real.validate_python("1.5") == 1.5
    assert real.dump_json(real.validate_python("30")) == b"30"
    assert real.dump_json(real.validate_python("0.5")) == b"0.5"
    for value in ("nan", "inf", "x", None, True, [], 10**400):
        with pytest.raises(ValidationError):
            real.validate_python(value)
