from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.config.path_names import PathPattern, check_path_name, path_name_mistake
from headgate.core.errors import NotFound


@pytest.mark.parametrize(
    "name", ["cam", "a/b/c", "Cam_1.front-door~x:y", "...", "a/..b", "x" * 255, "~tilde"]
)
def test_good_names(name: str) -> None:
    assert path_name_mistake(name) is None
    check_path_name(name)


@pytest.mark.parametrize(
    ("name", "mistake"),
    [
        ("", "cannot be empty"),
        ("/a", "begin with a slash"),
        ("a/", "end with a slash"),
        ("a b", "can contain only"),
        ("ä", "can contain only"),
        ("a\n", "can contain only"),
        ("a\x00", "can contain only"),
        ("..", "segment"),
        ("a/../b", "segment"),
        ("./a", "segment"),
        ("x" * 256, "longer than 255"),
    ],
)
def test_bad_names(name: str, mistake: str) -> None:
    assert mistake in (path_name_mistake(name) or "")
    with pytest.raises(NotFound, match="invalid path name"):
        check_path_name(name)


def test_which_configuration_names_are_patterns() -> None:
    assert PathPattern.compile("cam") is None
    for name in ("all", "all_others", "~^.*$"):
        pattern = PathPattern.compile(name)
        assert pattern is not None
        assert pattern.match("any/thing") == ()


def test_groups() -> None:
    pattern = PathPattern.compile("~^cam(?P<number>[0-9]+)(-hd)?$")
    assert pattern is not None
    assert pattern.match("cam12") == ("12", "")
    assert pattern.match("cam12-hd") == ("12", "-hd")
    assert pattern.match("camera") is None


def test_an_expression_is_searched_not_anchored() -> None:
    pattern = PathPattern.compile("~in(.)ide")
    assert pattern is not None
    assert pattern.match("look/inside/it") == ("s",)


def test_go_spellings_python_does_not_know() -> None:
    pattern = PathPattern.compile(r"~^(?<room>[a-z]+)\.\(?x\z")
    assert pattern is not None
    assert pattern.match("lab.x") == ("lab",)


@pytest.mark.parametrize("name", ["~(", "~a{2000000}", r"~(a)\1", "~(?=a)", "~(?<!a)b", "~[", "~*"])
def test_what_go_would_not_compile(name: str) -> None:
    with pytest.raises(ValueError, match="invalid regular expression"):
        PathPattern.compile(name)


def test_a_hostile_name_cannot_stall_the_matcher() -> None:
    pattern = PathPattern.compile("~^(a+)+$")
    assert pattern is not None
    started = time.process_time()
    assert pattern.match("a" * 254 + "b") is None
    assert time.process_time() - started < 1  # backtracking would take longer than the universe has


@given(st.text(max_size=300))
def test_any_text_has_a_verdict(name: str) -> None:
    mistake = path_name_mistake(name)
    assert mistake is None or isinstance(mistake, str)
    if mistake is None:
        assert name.isascii()
        assert 0 < len(name) <= 255
