"""Commands as real processes: how they begin, what of them is left, when they are run again."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from headgate.core.hooks.runner import RESTART_PAUSE, HookRunner, Job

PATIENCE = 10.0  # seconds; only a failing test waits so long


def job(command: str, *, restart: bool = False, **variables: str) -> Job:
    return Job(hook="runOnReady", subject="path 'x'", command=command, variables=variables, restart=restart)


def python(code: str, file: Path) -> str:
    """A command line that runs the code with the file's name in `sys.argv`."""
    script = file.with_suffix(".py")
    script.write_text(f"import os, signal, subprocess, sys, time\n{code}")
    return f"{sys.executable} {script} {file}"


async def until(condition: Callable[[], object]) -> None:
    """The other side is a process, which nobody can wake us for."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def read(file: Path) -> str:
    return file.read_text() if file.exists() else ""


async def over(runner: HookRunner) -> None:
    await until(lambda: not runner._runs)


class Pauses:
    """A clock that is turned: pauses last until the test lets them."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.go_on = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        await self.go_on.wait()
        self.go_on.clear()


async def test_variables_are_in_the_environment_and_in_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADGATE_AUTHINTERNALUSERS_0_PASS", "secret")
    monkeypatch.setenv("MTX_AUTHJWTJWKS", "secret")
    monkeypatch.setenv("LIBRARY_PATH_OF_MINE", "kept")
    file = tmp_path / "out"
    code = "open(sys.argv[1], 'w').write(repr((sys.argv[2:], {k: os.environ.get(k) for k in "
    code += "('MTX_PATH', 'HEADGATE_AUTHINTERNALUSERS_0_PASS', 'MTX_AUTHJWTJWKS', 'LIBRARY_PATH_OF_MINE')})))"
    async with HookRunner() as runner:
        runner.start(job(python(code, file) + " $MTX_PATH 'a $MTX_PATH'", MTX_PATH="x y;z"))
        await over(runner)
    assert read(file) == repr(
        (
            ["x y;z", "a x y;z"],
            {
                "MTX_PATH": "x y;z",
                "HEADGATE_AUTHINTERNALUSERS_0_PASS": None,
                "MTX_AUTHJWTJWKS": None,
                "LIBRARY_PATH_OF_MINE": "kept",
            },
        )
    )


@pytest.mark.parametrize(
    ("code", "told", "failed"),
    [
        ("pass", "ended with exit status 0", 0),
        ("sys.exit(3)", "ended with exit status 3", 1),
        ("os.kill(os.getpid(), signal.SIGTERM)", "ended by SIGTERM", 1),
    ],
)
async def test_how_it_ended_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, code: str, told: str, failed: int
) -> None:
    caplog.set_level(logging.INFO)
    async with HookRunner() as runner:
        runner.start(job(python(code, tmp_path / "out")))
        await over(runner)
    assert caplog.messages[-1] == f"hook runOnReady of path 'x' {told}"
    assert (runner.started["runOnReady"], runner.failed["runOnReady"]) == (1, failed)


async def test_what_it_prints_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with HookRunner() as runner:
        runner.start(
            job(python("print('hello', flush=True); print('there', file=sys.stderr)", tmp_path / "o"))
        )
        await over(runner)
    assert caplog.messages[1:3] == [
        "hook runOnReady of path 'x': hello",
        "hook runOnReady of path 'x': there",
    ]


async def test_a_program_that_is_not_there(caplog: pytest.LogCaptureFixture) -> None:
    async with HookRunner() as runner:
        runner.start(job("/nowhere/program"))
        await over(runner)
    assert caplog.messages == ["hook runOnReady of path 'x' cannot be run: No such file or directory"]
    assert (runner.started.total(), runner.failed.total()) == (0, 1)


CHILD = """
child = subprocess.Popen([sys.executable, '-c', {child!r}, sys.argv[1]])
open(sys.argv[1] + '.tmp', 'w').write(f'{{os.getpid()}} {{child.pid}}')
os.rename(sys.argv[1] + '.tmp', sys.argv[1])
{parent}
"""
STUBBORN = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(60)"
MEEK = "import time; time.sleep(60)"


def gone(process: int) -> bool:
    return not psutil.pid_exists(process) or psutil.Process(process).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("child", [MEEK, STUBBORN])
@pytest.mark.parametrize(
    "parent", ["time.sleep(60)", "signal.signal(2, signal.SIG_IGN); time.sleep(60)", "pass"]
)
async def test_the_whole_group_ends(tmp_path: Path, child: str, parent: str) -> None:
    file = tmp_path / "processes"
    async with HookRunner(kill_after=0.3) as runner:
        run = runner.start(job(python(CHILD.format(child=child, parent=parent), file)))
        assert run is not None
        await until(lambda: read(file))
        processes = [int(text) for text in read(file).split()]
        assert all(os.getpgid(one) != os.getpgid(0) for one in processes if psutil.pid_exists(one))
        if parent != "pass":
            run.stop()
        await over(runner)
        assert all(gone(one) for one in processes)
        assert runner.running == 0


async def test_it_is_asked_politely_first(tmp_path: Path) -> None:
    file = tmp_path / "out"
    code = """
def bye(*_):
    open(sys.argv[1], 'a').write('bye')
    sys.exit(0)
signal.signal(signal.SIGINT, bye)
open(sys.argv[1], 'a').write('hello ')
time.sleep(60)
"""
    async with HookRunner() as runner:
        run = runner.start(job(python(code, file), restart=True))
        assert run is not None
        await until(lambda: read(file) == "hello ")
        run.stop()
        await over(runner)
    assert read(file) == "hello bye"
    assert runner.failed.total() == 0


async def test_it_is_run_again_after_a_pause(tmp_path: Path) -> None:
    file = tmp_path / "out"
    pauses = Pauses()
    async with HookRunner(sleep=pauses) as runner:
        run = runner.start(job(python("open(sys.argv[1], 'a').write('x')", file), restart=True))
        assert run is not None
        for turn in (1, 2, 3):
            await until(lambda turn=turn: len(pauses.asked) == turn)
            assert read(file) == "x" * turn
            if turn < 3:
                pauses.go_on.set()
        run.stop()
        await over(runner)
    assert pauses.asked == [RESTART_PAUSE] * 3
    assert runner.started.total() == 3


async def test_what_cannot_be_run_is_tried_again_too() -> None:
    pauses = Pauses()
    async with HookRunner(sleep=pauses) as runner:
        runner.start(job("/nowhere/program", restart=True))
        await until(lambda: pauses.asked)
        pauses.go_on.set()
        await until(lambda: len(pauses.asked) == 2)
        for run in runner._runs:
            run.stop()
    assert runner.failed.total() == 2


async def test_there_are_never_too_many(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with HookRunner(limit=2, farewell_timeout=0) as runner:
        command = job(python("time.sleep(60)", tmp_path / "out"))
        assert [runner.start(command) is not None for _ in range(5)] == [True, True, False, False, False]
        await until(lambda: runner.running == 2)
        assert runner.refused["runOnReady"] == 3
        assert len(caplog.messages) == 1, "told once, counted always"
    assert runner.running == 0


async def test_leaving_gives_the_last_ones_time_and_then_ends_them(tmp_path: Path) -> None:
    quick, slow = tmp_path / "quick", tmp_path / "slow"
    async with HookRunner(farewell_timeout=0.5, kill_after=0.3) as runner:
        runner.start(job(python("time.sleep(0.05); open(sys.argv[1], 'w').write('done')", quick)))
        runner.start(job(python("open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)", slow)))
        await until(lambda: read(slow))
    assert read(quick) == "done"
    assert gone(int(read(slow)))


async def test_killed_at_once(tmp_path: Path) -> None:
    file = tmp_path / "out"
    code = "signal.signal(signal.SIGINT, signal.SIG_IGN); open(sys.argv[1], 'w').write('on'); time.sleep(60)"
    async with HookRunner() as runner:
        runner.start(job(python(code, file)))
        await until(lambda: read(file))
        runner.kill()
        await over(runner)
