"""`rules.md` names every rule and its tests, and each of them is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from headgate.core.config.rooms_conf import RoomsConf, RoomsModules, RoomsUsers
from headgate.rooms import decoder
from headgate.rooms.documents import Action
from headgate.rooms.refusal import Code

HERE = Path(__file__).parent
RULES = (HERE / "rules.md").read_text()
TEST = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


def rows(section: str) -> Iterator[tuple[set[str], set[tuple[str, str]]]]:
    """What stands in the first column, and the tests."""
    text = RULES.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    for line in text.splitlines():
        if line.startswith("| ") and not line.startswith("| ---"):
            first = line.split(" | ")[0]
            yield set(re.findall(r"`([^`]+)`", first)), set(TEST.findall(line))


def named(section: str) -> set[str]:
    found = [names for names, tests in rows(section) if tests]
    return set().union(*found)


def test_each_test_is_there() -> None:
    for file, name in TEST.findall(RULES):
        path = HERE.parent / file[1:] if file.startswith("/") else HERE / file
        assert re.search(rf"^(?:async )?def {name}\(", path.read_text(), re.MULTILINE), f"{file}::{name}"


def test_each_rule_has_one() -> None:
    for section in ("Connections", "Documents", "Rooms", "Orders", "Errors", "REST", "Options"):
        body = list(rows(section))[1:]  # the first row is the head
        assert body
        assert all(tests for _, tests in body), section


def test_each_error_is_looked_for() -> None:
    for codes, tests in list(rows("Errors"))[1:]:
        text = "".join((HERE / file).read_text() for file, _ in tests)
        assert all(f'"{code}"' in text for code in codes), codes


def test_nothing_is_forgotten() -> None:
    source = Path(decoder.__file__).read_text()
    told = {
        word for line in re.findall(r"case (\"\w+\".*):", source) for word in re.findall(r'"(\w+)"', line)
    }
    assert told == named("Documents") - {"Joined", "Left"}
    assert {code.value for code in Code} == named("Errors")
    assert {action.value for action in Action} == named("Orders")
    nested = {"modules": RoomsModules, "users": RoomsUsers}
    options = {key for key in RoomsConf.names() if key not in nested}
    options |= {f"{section}.{key}" for section, conf in nested.items() for key in conf.names()}
    assert options == named("Options") - {"server.conf"}
