"""The one place where the configuration changes: whole, or not at all."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from headgate.core.config import Configuration, Startup
from headgate.core.config.change import Change
from headgate.core.config.changes import Changes
from headgate.core.config.layers import Layers
from headgate.core.config.state_file import StateFile
from headgate.core.config.store import ConfigurationStore
from headgate.core.errors import HeadgateError, ListenError, Refused
from headgate.core.events import Bus, ConfigurationChanged, ConfigurationRefused

SHIPPED = Path(__file__).parents[3] / "headgate.yml"


TAKEN = ListenError("the port is taken")


def write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")


def remove(file: Path) -> None:
    file.unlink()


def lines_of(file: Path) -> list[str]:
    """Those that say something."""
    return [line for line in file.read_text().splitlines(keepends=True) if line.strip()[:1] not in {"", "#"}]


class Part:
    """Notes what it is asked to do; fails where it is told to."""

    def __init__(
        self, name: str, notes: list[str], *, fails: str = "", error: Exception | None = None
    ) -> None:
        self.name = name
        self.notes = notes
        self.fails = fails
        self.error = error or ListenError("the port is taken")

    def _note(self, what: str) -> None:
        self.notes.append(f"{self.name} {what}")
        if what == self.fails:
            raise self.error

    async def prepare(self, _: Change) -> Part:
        self._note("prepare")
        return self

    def commit(self) -> None:
        self._note("commit")

    async def rollback(self) -> None:
        self._note("rollback")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "headgate.yml"
    file.write_text("paths: {cam: }\n")
    return file


@pytest.fixture
async def store(file: Path, tmp_path: Path) -> AsyncIterator[ConfigurationStore]:
    startup = Startup.load(file, {"HEADGATE_STATE_DIR": str(tmp_path / "state")})
    store = ConfigurationStore(startup, bus=Bus())
    yield store
    await store.close()


def again(file: Path, tmp_path: Path) -> Configuration:
    """What the next server starts with."""
    startup = Startup.load(file, {"HEADGATE_STATE_DIR": str(tmp_path / "state")})
    assert startup.state is not None
    startup.state.release()
    assert startup.warnings == ()
    return startup.layers.configuration


async def test_a_change_survives_a_restart(store: ConfigurationStore, file: Path, tmp_path: Path) -> None:
    await store.patch_global({"readTimeout": "3s"})
    await store.add_path("door", {"maxReaders": 1})
    await store.delete_path("cam")
    await store.close()
    assert again(file, tmp_path) == store.configuration
    with pytest.raises(Refused, match="the server is stopping"):
        await store.add_path("late", {})


async def test_reset_forgets_them(store: ConfigurationStore, file: Path, tmp_path: Path) -> None:
    before = store.configuration
    await store.add_path("door", {})
    await store.reset()
    await store.close()
    assert store.configuration == before == again(file, tmp_path)


@pytest.mark.parametrize("error", [ListenError("no room"), OSError("no room"), ValueError("no room")])
async def test_what_one_part_cannot_prepare_nobody_does(
    store: ConfigurationStore, file: Path, tmp_path: Path, error: Exception
) -> None:
    notes: list[str] = []
    before = store.configuration
    for part in (Part("a", notes), Part("b", notes), Part("c", notes, fails="prepare", error=error)):
        store.register(part)
    with pytest.raises((Refused, ListenError), match="no room"):
        await store.add_path("door", {})
    assert notes == ["a prepare", "b prepare", "c prepare", "b rollback", "a rollback"]
    assert store.configuration is before
    await store.close()
    assert again(file, tmp_path) == before


async def test_what_cannot_be_kept_is_not_done(
    store: ConfigurationStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[str] = []
    store.register(Part("a", notes))
    before = store.configuration
    monkeypatch.setattr("os.fsync", _full)
    with pytest.raises(Refused, match="no space left on device"):
        await store.add_path("door", {})
    assert notes == ["a prepare", "a rollback"]
    assert store.configuration is before


def _full(_: int) -> None:
    raise OSError(28, "No space left on device")


async def test_a_bug_in_one_part_holds_nobody_up(
    store: ConfigurationStore, caplog: pytest.LogCaptureFixture
) -> None:
    notes: list[str] = []
    store.register(Part("a", notes, fails="commit"))
    store.register(Part("b", notes))
    await store.add_path("door", {})
    assert notes == ["a prepare", "b prepare", "a commit", "b commit"]
    assert "door" in store.configuration.paths
    assert "a bug while changing the configuration" in caplog.text


async def test_a_change_that_is_cancelled_is_undone(store: ConfigurationStore) -> None:
    notes: list[str] = []
    begun = asyncio.Event()

    class Slow(Part):
        async def prepare(self, change: Change) -> Part:
            begun.set()
            await asyncio.Event().wait()
            return await super().prepare(change)

    store.register(Part("a", notes))
    store.register(Slow("slow", notes))
    task = asyncio.ensure_future(store.add_path("door", {}))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert notes == ["a prepare", "a rollback"]
    assert "door" not in store.configuration.paths


async def test_nothing_to_change_asks_nobody(store: ConfigurationStore) -> None:
    notes: list[str] = []
    store.register(Part("a", notes))
    await store.patch_global({"readTimeout": "10s"})
    await store.patch_path("cam", {"maxReaders": 0})
    assert notes == []


class TestReload:
    async def test_the_changes_stay_on_top(self, store: ConfigurationStore, file: Path) -> None:
        await store.patch_global({"readTimeout": "3s"})
        write(file, "readTimeout: 4s\nwriteTimeout: 5s\npaths: {cam: , door: }\n")
        assert await store.reload()
        settings = store.configuration.global_
        assert (settings.read_timeout, settings.write_timeout) == (3, 5)
        (told,) = [
            one.event
            for one in store._bus.since(0)
            if isinstance(one.event, ConfigurationChanged) and one.event.cause == "file"
        ]
        assert told.keys == ("writeTimeout", "paths.door")

    async def test_a_broken_file_changes_nothing_and_every_mistake_is_told(
        self, store: ConfigurationStore, file: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        before = store.configuration
        write(file, "logLevel: loud\nreadTimeot: 1s\n")
        assert not await store.reload()
        assert store.configuration is before
        assert f"{file}:1: logLevel: invalid log level: 'loud'" in caplog.text
        assert f"{file}:2: readTimeot: unknown key" in caplog.text
        refused = store._bus.since(0)[-1].event
        assert isinstance(refused, ConfigurationRefused)
        assert len(refused.mistakes) == 2
        remove(file)
        assert not await store.reload()
        write(file, "paths: {door: }\n")
        assert await store.reload()
        assert list(store.configuration.paths) == ["door"]

    async def test_a_file_that_the_changes_do_not_fit(self, store: ConfigurationStore, file: Path) -> None:
        await store.add_path("all", {})
        before = store.configuration
        write(file, "paths: {all_others: }\n")
        assert not await store.reload()
        assert store.configuration is before

    async def test_a_port_that_is_taken(
        self, store: ConfigurationStore, file: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        store.register(Part("a", [], fails="prepare"))
        before = store.configuration
        write(file, "rtspAddress: 127.0.0.1:1\n")
        assert not await store.reload()
        assert store.configuration is before
        assert "the port is taken" in caplog.text

    async def test_whatever_the_file_becomes(self, store: ConfigurationStore, file: Path) -> None:
        """F-24: a thousand mutations; each is taken whole or refused whole, and the loop goes on."""
        chance = random.Random(24)
        text = "".join(re.sub(" *#.*", "", line) for line in lines_of(SHIPPED))
        extras = [
            "nonsense: 1\n",
            "readTimeout: 9s\n",
            "paths: [\n",
            "a: &a [*a]\n",
            "\0",
            "hls: no\n",
            "- x\n",
        ]
        bomb = "a: &a [x, x]\n" + "".join(
            f"b{i}: &b{i} [*{'a' if i == 0 else f'b{i - 1}'}, *a]\n" for i in range(40)
        )
        taken = 0
        logging.disable(logging.ERROR)  # a thousand times, every mistake
        try:
            for number in range(1000):
                place = chance.randrange(len(text))
                match number % 5:
                    case 0:
                        mutated = text[:place] + chance.choice(extras) + text[place:]
                    case 1:
                        mutated = text[:place] + text[place + chance.randrange(40) :]
                    case 2:
                        mutated = text.replace("10s", chance.choice(["1h", "-1s", "ten", "[]", "{}"]))
                    case 3:
                        mutated = "\n".join(chance.sample(text.splitlines(), 15))
                    case _:
                        mutated = chance.choice([bomb, text + text, "", "readTimeout: 1s", "x" * 2_000_000])
                write(file, mutated)
                before = store.configuration
                if await store.reload():
                    taken += 1
                else:
                    assert store.configuration is before
        finally:
            logging.disable(logging.NOTSET)
        assert 50 < taken < 950


async def test_what_is_kept_line_by_line_is_what_holds(tmp_path: Path, file: Path) -> None:
    environ = {"HEADGATE_STATE_DIR": str(tmp_path / "state")}
    dice = random.Random(5)
    for life in range(3):
        startup = Startup.load(file, environ)
        assert startup.warnings == ()
        assert startup.state is not None
        store = ConfigurationStore(startup, bus=Bus())
        for number in range(60):
            name = f"p{dice.randrange(12)}"
            try:
                match dice.randrange(5):
                    case 0:
                        await store.delete_path(name)
                    case 1:
                        await store.patch_path(dice.choice([name, "cam"]), {"maxReaders": number})
                    case 2:
                        await store.replace_path(name, {"fallback": f"/x{number}"})
                    case 3 if number % 20 == 0:
                        await store.patch_global({"readTimeout": f"{life + 5}s"})
                    case _:
                        await store.add_path(name, {"maxReaders": number})
            except HeadgateError:
                pass
            text = startup.state.read()
            assert text is not None
            kept = Layers.compose(startup.layers.base, startup.layers.base_own, Changes.read(text))
            assert kept.configuration == store.configuration
        assert text.count("\n") > 10, "mostly lines"
        # A crash in the middle of one more: nobody was told that it is kept.
        with startup.state.path.open("a") as stream:
            stream.write('{"p1":{"kind":"repl')
        before = store.configuration
        await store.close()
        after = Startup.load(file, environ)
        assert after.state is not None
        after.state.release()
        assert after.layers.configuration == before
        with startup.state.path.open("a") as stream:
            stream.write("\0\0\n")
        after = Startup.load(file, environ)
        assert after.state is not None
        after.state.release()
        assert after.layers.configuration == before


async def test_a_change_that_is_cancelled_while_it_is_kept_is_none(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    startup = Startup.load(file, {"HEADGATE_STATE_DIR": str(tmp_path / "state")})
    assert startup.state is not None
    store = ConfigurationStore(startup, bus=Bus())
    await store.add_path("a", {})
    at_it, go_on = threading.Event(), threading.Event()
    append = StateFile.append

    def slow(self: StateFile, line: str) -> bool:
        at_it.set()
        go_on.wait(10)
        return append(self, line)

    monkeypatch.setattr(StateFile, "append", slow)
    change = asyncio.create_task(store.add_path("b", {}))
    await asyncio.to_thread(at_it.wait, 10)
    change.cancel()
    asyncio.get_running_loop().call_later(0.01, go_on.set)
    with pytest.raises(asyncio.CancelledError):
        await change
    assert sorted(store.configuration.paths) == ["a", "cam"]
    await store.add_path("c", {})
    text = startup.state.read()
    assert text is not None
    assert sorted(Changes.read(text).paths) == ["a", "c"]
    await store.close()
