from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from headgate.core.config.sizes import SizeLimit, format_size, parse_size


@pytest.mark.parametrize(
    ("text", "size", "printed"),
    [
        ("50M", 50 << 20, "50M"),
        ("50MB", 50 << 20, "50M"),
        ("50MiB", 50 << 20, "50M"),
        ("50m", 50 << 20, "50M"),
        ("1.5G", 3 << 29, "1.5G"),
        ("1024K", 1 << 20, "1M"),
        ("1025B", 1025, "1025B"),
        ("1234567B", 1234567, "1234567B"),
        ("15E", 15 << 60, "15E"),
    ],
)
def test_units_are_powers_of_1024(text: str, size: int, printed: str) -> None:
    assert parse_size(text) == size
    assert format_size(size) == printed


@pytest.mark.parametrize("text", ["50", "M", "-1M", "1.M", "1X", "", "1e3M", "0B", "0.1B", "17E"])
def test_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="size"):
        parse_size(text)


@given(st.integers(min_value=1, max_value=2**64 - 1))
def test_nothing_is_lost_in_print(size: int) -> None:
    assert parse_size(format_size(size)) == size


def test_a_limit_may_be_none() -> None:
    limit = TypeAdapter(SizeLimit)
    assert [limit.validate_python(text) for text in ("0", "16M")] == [0, 16 << 20]
    assert [limit.dump_python(size) for size in (0, 16 << 20)] == ["0", "16M"]
    for text in ("0B", "00", "5", ""):
        with pytest.raises(ValidationError, match="size"):
            limit.validate_python(text)
