"""A server while the load generator is at it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.journey import Figure
from benchmarks.load import Load, Run
from benchmarks.process import cpu_seconds, resident_kb, sockets, waited_seconds
from benchmarks.server import Running

__all__ = ["Watched", "options_of", "run_of", "watch"]


@dataclass(frozen=True, slots=True)
class Watched:
    """The server at one line of the generator."""

    line: Mapping[str, Any]
    cpu_seconds: float
    resident_kb: int
    sockets: int
    waited: float = 0.0
    """Seconds."""

    @classmethod
    def now(cls, pid: int, line: Mapping[str, Any]) -> "Watched":
        # CPU time first: what follows takes milliseconds.
        used, waited = cpu_seconds(pid), waited_seconds(pid)
        return cls(line, used, resident_kb(pid), sockets(pid), waited)


def options_of(options: Mapping[str, str | int], *, seconds: float | None) -> Iterator[str]:
    """Of a command of the generator. `seconds`: None where it lasts as long as its numbers need."""
    for name, value in options.items():
        yield from (f"--{name}", str(value))
    if seconds is not None:
        yield from ("--seconds", str(seconds))


def watch(
    running: Running,
    load: Load,
    command: Sequence[str],
    *,
    pinned: bool,
    measured: Callable[[], None] = lambda: None,
) -> tuple[list[Watched], dict[str, Any]]:
    """Run a command against a server: how the server was at each step, and the generator's result.

    `measured` is called when the measurement has ended, while the load is still there. Raises LoadError.
    """
    verb, *options = command
    arguments = [verb, "--server", f"127.0.0.1:{running.port}", *options, *load.cpus(pinned=pinned)]
    watched: list[Watched] = []
    result: dict[str, Any] = {}
    for line in load.lines(running, arguments):
        if line["phase"] in {"measuring", "measured", "held"}:
            watched.append(Watched.now(running.pid, line))
        if line["phase"] == "measured":
            measured()
        result = line
    return watched, result


def run_of(figures: dict[Figure, float], watched: Sequence[Watched], result: dict[str, Any]) -> Run:
    return Run(
        figures=figures,
        resident_kb={f"{seen.line['phase']} {place}": seen.resident_kb for place, seen in enumerate(watched)},
        sockets_closed=0,
        result=result,
    )
