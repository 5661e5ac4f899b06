"""Tells when files have changed and come to rest."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

__all__ = ["watch_file", "watch_files"]

POLL_INTERVAL = 0.5
"""Seconds. Asking beats being told: it works on every file system, and for a file that is put in another's
place, as editors and Kubernetes do.
"""
REST = 1.0
"""Seconds without a change before a file is read: somebody may still be writing it."""

Signature = tuple[int, int, int] | None


async def watch_file(
    file: Path,
    on_change: Callable[[], Awaitable[object]],
    *,
    interval: float = POLL_INTERVAL,
    rest: float = REST,
) -> None:
    """Runs until it is cancelled. A file that went away is one that changed."""
    await watch_files((file,), on_change, interval=interval, rest=rest)


async def watch_files(
    files: Sequence[Path],
    on_change: Callable[[], Awaitable[object]],
    *,
    interval: float = POLL_INTERVAL,
    rest: float = REST,
    at_once: bool = False,
) -> None:
    """As `watch_file`, for files that belong together: told once, when all of them rest.

    `at_once`: told at the beginning too, so that nothing is missed since whoever asks has read them.
    """
    loop = asyncio.get_running_loop()
    known = await asyncio.to_thread(_signatures, files)
    if at_once:
        await on_change()
    while True:
        await asyncio.sleep(interval)
        seen = await asyncio.to_thread(_signatures, files)
        if seen == known:
            continue
        since = loop.time()
        while loop.time() - since < rest:
            await asyncio.sleep(min(interval, rest))
            latest = await asyncio.to_thread(_signatures, files)
            if latest != seen:
                seen, since = latest, loop.time()
        known = seen
        await on_change()


def _signatures(files: Sequence[Path]) -> list[Signature]:
    return [_signature(file) for file in files]


def _signature(file: Path) -> Signature:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
