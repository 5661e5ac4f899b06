"""A hook's process, with everything it starts: one process group that ends as a whole."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from typing import Self

from headgate.core.hooks.output import HookOutput

__all__ = ["KILL_AFTER", "ProcessGroup"]

KILL_AFTER = 5.0
"""Seconds between SIGINT and SIGKILL: ffmpeg writes the end of its file in less."""
PIPE_TIMEOUT = 1.0
"""Seconds to wait for the end of the output once the group is gone: a daemon of its own may hold the pipe."""
LOOK = 0.02  # seconds between looks whether the group is empty


class ProcessGroup(asyncio.SubprocessProtocol):
    """Runs a program to its end. Nothing of its group is left when `run` returns or is cancelled."""

    def __init__(self, *, output: HookOutput, kill_after: float) -> None:
        self.id = 0
        """The process's number and the group's."""
        self._output = output
        self._kill_after = kill_after
        self._transport: asyncio.SubprocessTransport | None = None
        # `Process.wait` of asyncio may wait for the pipe as well, which whatever was left behind holds open.
        self._exited = asyncio.Event()
        self._silent = asyncio.Event()

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        *,
        environ: Mapping[str, str],
        output: HookOutput,
        kill_after: float = KILL_AFTER,
    ) -> Self:
        """Raises OSError when there is no such program or no process to be had."""
        group = cls(output=output, kill_after=kill_after)
        transport, _ = await asyncio.get_running_loop().subprocess_exec(
            lambda: group,
            *command,
            env=environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        group._transport, group.id = transport, transport.get_pid()
        return group

    async def run(self, ending: asyncio.Event) -> int:
        """Its exit status; negative is the signal that ended it. Once `ending` is set it is made to end."""
        if self._transport is None:
            raise RuntimeError("a process that was not started")
        try:
            async with asyncio.TaskGroup() as tasks:
                waits = {tasks.create_task(self._exited.wait()), tasks.create_task(ending.wait())}
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                for wait in waits:
                    wait.cancel()
            await self._end()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PIPE_TIMEOUT):
                    await self._silent.wait()
            return self._transport.get_returncode() or 0
        finally:
            self.signal(signal.SIGKILL)
            self._transport.close()
            self._output.close()

    def signal(self, number: int) -> bool:
        """Send it to every process of the group, 0 to none of them; False when there is no process left."""
        if self._exited.is_set() and _exists(self.id):
            return False  # the leader was waited for: this is another with its number, and no group of ours
        try:
            os.killpg(self.id, number)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True  # there are some, of another user by now
        return True

    async def _end(self) -> None:
        """SIGINT to whatever is left, then SIGKILL."""
        if self.signal(signal.SIGINT):
            try:
                async with asyncio.timeout(self._kill_after):
                    await self._exited.wait()
                    while self.signal(0):  # noqa: ASYNC110 - nothing tells us
                        await asyncio.sleep(LOOK)
            except TimeoutError:
                self.signal(signal.SIGKILL)
        await self._exited.wait()

    # What asyncio calls

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._output.feed(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._silent.set()

    def process_exited(self) -> None:
        self._exited.set()


def _exists(process_id: int) -> bool:
    try:
        os.getpgid(process_id)
    except ProcessLookupError:
        return False
    return True
