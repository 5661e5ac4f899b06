"""Runs `headgate-load` against a server, and reads the server's cost at the same moments."""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.journey import Figure, Journey
from benchmarks.process import cpu_seconds, resident_kb, sockets
from benchmarks.server import Running

__all__ = ["Floor", "Load", "LoadError", "Run"]

FLOOR_MODES = ("packet", "frame", "datagram", "gso")


class LoadError(RuntimeError):
    """The load could not be put on the server: the run is void."""


@dataclass(frozen=True, slots=True)
class Run:
    """One journey on one server, once."""

    figures: dict[Figure, float]
    resident_kb: dict[str, int]
    """The server's resident memory by phase: `published` is before any reader, `measured` with all."""
    sockets_closed: int
    """Sockets the server has fewer after measuring than when everybody had joined."""
    result: dict[str, Any]
    """What the generator printed last: the document of `docs/benchmarks.md`."""


@dataclass(frozen=True, slots=True)
class Floor:
    """What the kernel alone asks for the same payload."""

    mode: str
    cpu_s_per_gb: float
    us_per_packet: float


@dataclass(frozen=True, slots=True)
class Load:
    """The load generator. `server_cpu` and `load_cpus` are empty on a machine with one CPU."""

    program: Path
    server_cpu: tuple[int, ...]
    load_cpus: tuple[int, ...]

    @classmethod
    def find(cls, root: Path) -> "Load":
        """The release build in cargo's target directory. Raises LoadError when there is none."""
        program = Path(os.environ.get("CARGO_TARGET_DIR", root / "target")) / "release/headgate-load"
        if not program.exists():
            raise LoadError(f"{program} is missing: run `cargo build --release -p headgate-load`")
        first, *rest = sorted(os.sched_getaffinity(0))
        return cls(program=program, server_cpu=(first,) if rest else (), load_cpus=tuple(rest))

    def put_on(self, running: Running, journey: Journey, *, seconds: float) -> Run:
        """Publish, read and measure for `seconds`. Raises LoadError when the run is void."""
        path = "live/{i}" if journey.publishers > 1 else "live"
        arguments = ["run", "--url", running.url(path), "--seconds", str(max(seconds, journey.least_seconds))]
        arguments += ["--count", str(journey.publishers), "--readers", str(journey.readers)]
        arguments += ["--transport", journey.transport.value, "--stall", str(journey.stalled)]
        arguments += self.cpus(pinned=journey.pinned) or [
            "--reading-threads",
            str(max(1, len(self.load_cpus) - 1)),
        ]
        cpu: dict[str, float] = {}
        rss: dict[str, int] = {}
        held: dict[str, int] = {}
        result: dict[str, Any] = {}
        for line in self.lines(running, arguments):
            result = line
            phase = str(result["phase"])
            if phase in {"measuring", "measured"}:
                cpu[phase] = cpu_seconds(running.pid)
            if phase in {"joined", "measured"}:
                held[phase] = sockets(running.pid)
            if phase in {"published", "measured"}:
                # Before readers: `published` is printed a settling time before the first one joins.
                rss[phase] = resident_kb(running.pid)
        used = cpu["measured"] - cpu["measuring"]
        return Run(
            figures=_figures(result, used=used, grown=rss["measured"] - rss["published"]),
            resident_kb=rss,
            sockets_closed=held["joined"] - held["measured"],
            result=result,
        )

    def floors(self, *, seconds: float) -> list[Floor]:
        """Each floor once, the sender on the server's CPU. Raises LoadError."""
        found = []
        for mode in FLOOR_MODES:
            cpus = (*self.server_cpu, *self.load_cpus)
            arguments = ["floor", "--mode", mode, "--readers", "100", "--seconds", str(seconds)]
            if cpus:
                arguments += ["--cpu", _list(cpus)]
            process = subprocess.run([self.program, *arguments], capture_output=True, text=True, check=False)
            if process.returncode != 0:
                raise LoadError(process.stderr.strip())
            line = json.loads(process.stdout)
            found.append(Floor(mode, line["cpu_s_per_gb"], line["us_per_packet"]))
        return found

    def lines(self, running: Running, arguments: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Run the generator: each line it prints, as it prints it; the last has the phase `result`.

        Raises LoadError when it or the server ends otherwise.
        """
        with subprocess.Popen(
            [self.program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            phase = ""
            for text in process.stdout:
                line = json.loads(text)
                phase = str(line["phase"])
                if running.process.poll() is not None:
                    process.kill()
                    raise LoadError(f"the server ended: {running.last_words()}")
                yield line
            trouble = process.stderr.read().strip()
        if process.returncode != 0 or phase != "result":
            raise LoadError(trouble or f"headgate-load ended with {process.returncode}")

    def cpus(self, *, pinned: bool) -> list[str]:
        """The generator's option that keeps it off the server's CPU; nothing where it may run anywhere."""
        return ["--cpu", _list(self.load_cpus)] if pinned and self.load_cpus else []


def _list(cpus: Sequence[int]) -> str:
    return ",".join(str(cpu) for cpu in cpus)


def _figures(result: dict[str, Any], *, used: float, grown: int) -> dict[Figure, float]:
    sent, received = result["sent"], result.get("received")
    carried = sent if received is None else received
    if not carried["packets"]:
        raise LoadError("no packet arrived while measuring")
    figures = {
        Figure.CPU_S_PER_GB: used / carried["bytes"] * 1e9,
        Figure.US_PER_PACKET: used / carried["packets"] * 1e6,
        Figure.CORE_PERCENT: used / result["seconds"] * 100,
    }
    if received is None:
        return figures
    reading = received["joined"] - received["stalled"]
    expected = sent["packets"] / sent["publishers"] * reading
    return figures | {
        Figure.P50_MS: received["latency_us"]["p50"] / 1000,
        Figure.P99_MS: received["latency_us"]["p99"] / 1000,
        Figure.KB_PER_READER: grown / received["joined"],
        Figure.LOST: received["lost"],
        Figure.CLOSED: received["failed"] + received["closed"],
        Figure.DELIVERED_PERCENT: received["packets"] / expected * 100,
    }
