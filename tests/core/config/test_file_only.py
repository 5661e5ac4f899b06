"""Hooks that were set through the API, once the file does not allow that any more."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from headgate.core.config import Loaded, Startup
from headgate.core.config.file_only import dropped_hooks
from headgate.core.config.layers import Layers
from headgate.core.config.store import ConfigurationStore
from headgate.core.errors import ConfigurationError
from headgate.core.events import Bus
from tests.core.config.conftest import Load

ALLOWED = "hooksFromAPI: yes\npaths: {cam: {runOnReady: say hello, runOnDemandStartTimeout: 7s}, door: }\n"
FORBIDDEN = ALLOWED.replace("yes", "no")
HOOK = "touch /tmp/x"


def layers(loaded: Loaded) -> Layers:
    return Layers.compose(loaded.configuration, loaded.own)


def with_hooks(before: Layers) -> Layers:
    return (
        before.patch_global({"runOnConnect": HOOK, "readTimeout": "20s"})
        .patch_path_defaults({"runOnRead": HOOK, "maxReaders": 3})
        .patch_path("cam", {"runOnReady": HOOK, "overridePublisher": False})
        .replace_path("door", {"runOnInit": HOOK, "fallback": "/cam"})
        .add_path("new", {"runOnDemand": HOOK})
    )


def commands(now: Layers) -> set[str]:
    sections = [now.configuration.global_, now.configuration.path_defaults, *now.configuration.paths.values()]
    return {
        value
        for section in sections
        for key, value in section.document().items()
        if key.startswith("runOn") and isinstance(value, str) and value not in {"", "10s", "7s"}
    }


def test_where_lines_go_is_as_much_as_a_command(load_text: Load) -> None:
    change = {"logDestinations": ["file"], "logFile": "/home/somebody/.profile"}
    with pytest.raises(ConfigurationError, match="logFile: cannot be set through the API"):
        layers(load_text("")).patch_global(change)
    assert layers(load_text("hooksFromAPI: yes")).patch_global(change).configuration.global_.log_file


def test_they_are_in_force_while_the_file_allows_it_and_not_after(load_text: Load) -> None:
    changed = with_hooks(layers(load_text(ALLOWED)))
    assert commands(changed) == {HOOK}
    loaded = load_text(FORBIDDEN)
    after = Layers.compose(loaded.configuration, loaded.own, changed.changes)
    assert commands(after) == {"say hello"}
    assert HOOK not in after.changes.text()
    conf = after.configuration
    assert (conf.global_.read_timeout, conf.path_defaults.max_readers) == (20, 3)
    assert conf.paths["cam"].override_publisher is False
    assert (conf.paths["door"].fallback, sorted(conf.paths)) == ("/cam", ["cam", "door", "new"])
    (warning,) = dropped_hooks(changed.changes, after.changes)
    for key in ("runOnConnect", "pathDefaults.runOnRead", "paths.cam.runOnReady", "paths.new.runOnDemand"):
        assert key in warning
    assert HOOK not in warning
    loaded = load_text(ALLOWED)
    assert commands(Layers.compose(loaded.configuration, loaded.own, after.changes)) == {"say hello"}


def test_what_a_get_gave_keeps_the_files_hooks_and_follows_them(load_text: Load) -> None:
    before = layers(load_text(FORBIDDEN))
    replaced = before.replace_path("cam", {**before.configuration.paths["cam"].document(), "maxReaders": 1})
    assert commands(replaced) == {"say hello"}
    loaded = load_text(FORBIDDEN)
    assert Layers.compose(loaded.configuration, loaded.own, replaced.changes) == replaced
    loaded = load_text(FORBIDDEN.replace("hello", "bye").replace("7s", "8s"))
    after = Layers.compose(loaded.configuration, loaded.own, replaced.changes)
    assert commands(after) == {"say bye"} | {"8s"}
    assert after.configuration.paths["cam"].max_readers == 1
    assert after.changes.paths["cam"].amendment.given["runOnDemandStartTimeout"] == "8s"


async def test_a_file_that_forbids_it_while_the_server_runs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "headgate.yml"
    file.write_text(ALLOWED)
    environ = {"HEADGATE_STATE_DIR": str(tmp_path / "state")}
    startup = Startup.load(file, environ)
    assert startup.state is not None
    store = ConfigurationStore(startup, bus=Bus())
    await store.patch_path("cam", {"runOnReady": HOOK})
    assert HOOK in startup.state.path.read_text()
    file.write_text(FORBIDDEN)
    with caplog.at_level(logging.WARNING):
        assert await store.reload()
    assert store.configuration.paths["cam"].run_on_ready == "say hello"
    assert "are dropped: paths.cam.runOnReady" in caplog.text
    assert startup.state.read() is None or HOOK not in str(startup.state.read())
    await store.close()


def test_a_file_that_forbids_it_at_the_next_start(tmp_path: Path) -> None:
    file = tmp_path / "headgate.yml"
    file.write_text(ALLOWED)
    environ = {"HEADGATE_STATE_DIR": str(tmp_path / "state")}
    startup = Startup.load(file, environ)
    assert startup.state is not None
    startup.state.write(with_hooks(startup.layers).changes.text())
    startup.state.release()
    for text, warnings in ((FORBIDDEN, 1), (ALLOWED, 0)):
        file.write_text(text)
        startup = Startup.load(file, environ)
        assert startup.state is not None
        startup.state.release()
        assert commands(startup.layers) == {"say hello"}
        assert len([one for one in startup.warnings if "hooksFromAPI is off" in one]) == warnings
