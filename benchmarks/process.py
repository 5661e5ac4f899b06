"""What a running process costs, as Linux tells it."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["cpu_seconds", "on_cpus", "resident_kb", "sockets", "waited_seconds"]


def cpu_seconds(pid: int) -> float:
    """CPU time of all the process's living threads, to the nanosecond.

    `/proc/PID/stat` would count in ticks of 10 ms, too coarse under 10 % load.
    A thread that ends takes its time with it, so read this while no thread ends.
    """
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def waited_seconds(pid: int) -> float:
    """For how long all the process's living threads together could have run, and had no CPU."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total += int((task / "schedstat").read_text().split()[1])
    return total / 1e9


def sockets(pid: int) -> int:
    """Sockets the process holds open."""
    count = 0
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            count += descriptor.readlink().name.startswith("socket:")
    return count


def resident_kb(pid: int) -> int:
    """Resident memory, counted by the pages themselves (the counters of `status` lag behind)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1])
    raise ValueError(f"process {pid} has no resident memory")


@contextlib.contextmanager
def on_cpus(cpus: Sequence[int]) -> Iterator[None]:
    """Processes started inside run on `cpus` only; none given: wherever this process may."""
    if not cpus:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
