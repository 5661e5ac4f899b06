from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.config.draft import Draft
from headgate.core.config.yaml_file import DEPTH_LIMIT, SIZE_LIMIT, VALUE_LIMIT, read_yaml


def read(tmp_path: Path, content: str | bytes) -> Draft:
    file = tmp_path / "c.yml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    draft = Draft()
    read_yaml(file, draft)
    return draft


def told(tmp_path: Path, content: str | bytes) -> list[str]:
    return [line.removeprefix(f"{tmp_path}/") for line in read(tmp_path, content).mistakes]


def test_scalars_stay_as_written(tmp_path: Path) -> None:
    draft = read(tmp_path, "a: 0123\nb: no\nc: 1.10\nd: '~'\ne: ~\nf:\ng: null\nh: ''\ni: !!str 5\n")
    assert draft.data == {
        "a": "0123",
        "b": "no",
        "c": "1.10",
        "d": "~",
        "e": None,
        "f": None,
        "g": None,
        "h": "",
        "i": "5",
    }
    assert draft.mistakes == []


def test_every_value_knows_its_line(tmp_path: Path) -> None:
    draft = read(tmp_path, "# comment\na:\n  - x\n  - b: 1\n    c:\n      d: 2\n")
    lines = {location: origin.line for location, origin in draft.origins.items() if location}
    assert lines == {
        ("a",): 2,
        ("a", 0): 3,
        ("a", 1): 4,
        ("a", 1, "b"): 4,
        ("a", 1, "c"): 5,
        ("a", 1, "c", "d"): 6,
    }


def test_anchors_and_merges(tmp_path: Path) -> None:
    draft = read(tmp_path, "a: &a {x: 1, y: 2}\nb: &b {z: 3}\nc:\n  <<: [*a, *b]\n  x: 9\nd: *a\n")
    assert draft.mistakes == []
    assert draft.data["c"] == {"x": "9", "y": "2", "z": "3"}
    assert draft.data["d"] == {"x": "1", "y": "2"}


@pytest.mark.parametrize("content", ["", "# nothing\n", "---\n", "--- ~\n", "\ufeff"])
def test_an_empty_file_says_nothing(tmp_path: Path, content: str) -> None:
    draft = read(tmp_path, content)
    assert draft.data == {}
    assert draft.mistakes == []


@pytest.mark.parametrize(
    ("content", "mistake"),
    [
        ("a: [1,\n", "c.yml:2: not YAML: "),
        ("a: b: c\n", "c.yml:1: not YAML: "),
        ("ok: 1\n\ta: 2\n", "c.yml:2: not YAML: "),
        ("- a\n", "c.yml:1: must be a mapping"),
        ("text", "c.yml:1: must be a mapping"),
        ("a: 1\n---\nb: 2\n", "c.yml:2: a second document begins here"),
        ("a: *x\n", "c.yml:1: alias *x names nothing"),
        ("a: &a [*a]\n", "c.yml:1: alias *a names nothing"),
        ("a: !python/object x\n", "c.yml:1: tag !python/object is not known"),
        ("? [a]\n: b\n", "c.yml:1: a key must be text"),
        ("<<: text\n", "c.yml:1: << takes mappings only"),
        ("a: \x07\n", "c.yml: not YAML: character U+0007"),
        (b"a: 1\nb: \xff\n", "c.yml:2: is not UTF-8 text"),
        ("[" * 100_000, f"c.yml:1: is nested more than {DEPTH_LIMIT} levels deep"),
        ("#" + "x" * SIZE_LIMIT, "c.yml: is larger than 1 MiB"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, content: str | bytes, mistake: str) -> None:
    (line,) = told(tmp_path, content)
    assert line.startswith(mistake)


def test_keys_set_twice_are_all_told(tmp_path: Path) -> None:
    assert told(tmp_path, "a: 1\nb: 2\na: 3\nb: 4\n") == [
        "c.yml:3: key 'a' is set twice (first on line 1)",
        "c.yml:4: key 'b' is set twice (first on line 2)",
    ]


def test_aliases_cannot_make_much_of_little(tmp_path: Path) -> None:
    bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{level}: &a{level} [{','.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 12)
    )
    (line,) = told(tmp_path, bomb)
    assert f"has more than {VALUE_LIMIT} values" in line


def test_a_chain_of_aliases_cannot_be_deep(tmp_path: Path) -> None:
    chain = "a0: &a0 x\n" + "".join(f"a{level}: &a{level} [*a{level - 1}]\n" for level in range(1, 200))
    (line,) = told(tmp_path, chain)
    assert "levels deep" in line


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    draft = Draft()
    read_yaml(tmp_path / "none.yml", draft)
    read_yaml(tmp_path, draft)
    assert draft.mistakes == [
        f"{tmp_path}/none.yml: cannot be read: no such file or directory",
        f"{tmp_path}: cannot be read: is a directory",
    ]


@given(st.text(alphabet="ab:-[]{}&*!|>#'\"%@`,?~<\n\t 01\x00é", max_size=60))
def test_any_text_is_read_or_told(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    draft = read(tmp_path_factory.getbasetemp(), text)
    assert draft.mistakes or isinstance(draft.data, dict)
