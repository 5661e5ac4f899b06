from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate.core.config import Startup
from headgate.core.config.startup import kept
from headgate.core.config.state_file import StateFile
from headgate.core.errors import ConfigurationError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "headgate.yml"
    file.write_text("paths: {cam: }\n")
    return file


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HEADGATE_STATE_DIR": str(tmp_path / "state")}


@pytest.fixture
def state(file: Path, tmp_path: Path) -> Iterator[StateFile]:
    state = StateFile(tmp_path / "state", file)
    yield state
    state.release()


def start(file: Path, environ: dict[str, str]) -> Startup:
    startup = Startup.load(file, environ)
    assert startup.state is not None
    startup.state.release()
    return startup


def write(state: StateFile, text: str) -> None:
    with state:
        state.write(text)


def test_without_changes_it_is_the_file(file: Path, environ: dict[str, str]) -> None:
    startup = start(file, environ)
    assert list(startup.layers.configuration.paths) == ["cam"]
    assert startup.warnings == ()


def test_changes_of_before_are_on_top(file: Path, environ: dict[str, str], state: StateFile) -> None:
    changed = start(file, environ).layers.add_path("door", {"maxReaders": 2}).delete_path("cam")
    write(state, changed.changes.text())
    assert start(file, environ).layers.configuration == changed.configuration
    assert kept(file, environ)[0].configuration == changed.configuration


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("[]", "not of version 1"),
        ('{"version":2}', "not of version 1"),
        ('{"version":1,"global":{}}', "not complete"),
        ('{"version":1,"global":[],"pathDefaults":{},"paths":{}}', "an object is something else"),
        ('{"version":1,"global":{"x":1},"pathDefaults":{},"paths":{}}', "unknown field"),
        ('{"version":1,"global":{},"pathDefaults":{},"paths":{"x":{"kind":"?","keys":{}}}}', "Kind"),
        (
            '{"version":1,"global":{},"pathDefaults":{},"paths":{"all":{"kind":"replaced","keys":{}},'
            '"all_others":{"kind":"replaced","keys":{}}}}',
            "only one may be configured",
        ),
        ("[" * 100_000, ""),
    ],
)
def test_what_cannot_be_used_is_put_aside_loudly(
    file: Path, environ: dict[str, str], state: StateFile, text: str, reason: str
) -> None:
    write(state, text)
    startup = start(file, environ)
    assert list(startup.layers.configuration.paths) == ["cam"]
    (warning,) = startup.warnings
    assert "NOT IN EFFECT" in warning
    assert reason in warning
    (aside,) = state.path.parent.glob("*.bad")
    assert str(aside) in warning
    assert aside.read_text() == text
    assert start(file, environ).warnings == ()


def test_another_server_or_no_place_means_that_nothing_is_kept(
    file: Path, environ: dict[str, str], state: StateFile, tmp_path: Path
) -> None:
    with state:
        startup = Startup.load(file, environ)
    assert startup.state is None
    assert "another server" in startup.warnings[0]
    (tmp_path / "taken").touch()
    startup = Startup.load(file, {"HEADGATE_STATE_DIR": str(tmp_path / "taken")})
    assert startup.state is None
    assert "is lost when this server stops" in startup.warnings[0]


def test_mistakes_of_the_file_are_the_files(file: Path, environ: dict[str, str]) -> None:
    file.write_text("logLevel: loud\n")
    with pytest.raises(ConfigurationError, match=r"headgate\.yml:1: logLevel"):
        Startup.load(file, environ)
