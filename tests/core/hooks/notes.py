"""What real commands of hooks were told, noted by themselves."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["Notes", "until"]

PATIENCE = 30.0
# Notes its name, arguments and environment, and lasts until it is ended.
NOTE = """
import json, os, signal, sys, time
directory, hook, last, *arguments = sys.argv[1:]
signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
told = {name: os.environ[name] for name in os.environ if name.startswith(("MTX_", "RTSP_", "G1", "G2"))}
name = f"{time.monotonic_ns()}-{os.getpid()}"
with open(f"{directory}/{name}.tmp", "w") as file:
    json.dump({"hook": hook, "arguments": arguments, "told": told}, file)
os.rename(f"{directory}/{name}.tmp", f"{directory}/{name}.json")
if last == "lasts":
    time.sleep(60)
"""
VALUES = "$MTX_PATH $MTX_QUERY $MTX_CONN_ID $MTX_READER_ID $MTX_SOURCE_ID $G1 'x $MTX_QUERY'"


class Notes:
    """What hooks have noted, and commands that make them do it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "notes"
        self.directory.mkdir()
        self._script = directory / "note.py"
        self._script.write_text(NOTE)

    def command(self, hook: str, *, lasts: bool = False) -> str:
        return (
            f"{sys.executable} {self._script} {self.directory} {hook} {'lasts' if lasts else 'ends'} {VALUES}"
        )

    def all(self) -> list[dict[str, Any]]:
        return [json.loads(file.read_text()) for file in sorted(self.directory.glob("*.json"))]

    async def of(self, hook: str, *, count: int = 1) -> dict[str, Any]:
        """Wait until a hook has noted so often; its last note."""
        notes = await until(
            lambda: n if len(n := [n for n in self.all() if n["hook"] == hook]) >= count else None
        )
        return notes[-1]


async def until(condition: Callable[[], Any]) -> Any:
    """The other side is a process, which nobody can wake us for."""
    async with asyncio.timeout(PATIENCE):
        while not (result := condition()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return result
