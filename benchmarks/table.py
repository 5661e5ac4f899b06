"""The measured figures as a Markdown table, and as a JSON document."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.journey import Bound, Figure, Journey, Measured
from benchmarks.load import Floor, Run
from benchmarks.machine import Machine
from benchmarks.server import Role, Server

__all__ = ["Row", "Table"]

_DIGITS = {
    Figure.CPU_S_PER_GB: 2,
    Figure.US_PER_PACKET: 2,
    Figure.P50_MS: 1,
    Figure.P99_MS: 1,
    Figure.DELIVERED_PERCENT: 2,
    Figure.PACKETS_PER_CPU_MS: 0,
    Figure.KIB_PER_ALLOCATION: 1,
    Figure.FDS_PER_ALLOCATION: 2,
    Figure.ANSWERED_PERCENT: 2,
    Figure.SERVED_PERCENT: 2,
    Figure.KB_PER_SOCKET: 1,
    Figure.US_PER_DELIVERY: 1,
}

# Those the journeys are about: with the spread of the runs.
_SPREAD = frozenset(
    {
        Figure.CPU_S_PER_GB,
        Figure.P99_MS,
        Figure.PACKETS_PER_CPU_MS,
        Figure.US_PER_ALLOCATION,
        Figure.KIB_PER_ALLOCATION,
        Figure.P50_US,
        Figure.KB_PER_SOCKET,
        Figure.US_PER_DELIVERY,
    }
)

_FLOOR_NAMES = {
    "packet": "TCP, one send per packet",
    "frame": "TCP, one send per access unit",
    "datagram": "UDP, one send per packet",
    "gso": "UDP, one GSO send per access unit",
}


@dataclass(slots=True)
class Row:
    """One journey on one server, as often as it was run."""

    journey: Measured
    server: Server
    runs: list[Run] = field(default_factory=list)
    void: list[str] = field(default_factory=list)
    """Why runs yielded nothing."""
    peer: "Row | None" = None
    """The same journey on the server that ours is compared with."""

    def values(self, figure: Figure) -> list[float]:
        return [run.figures[figure] for run in self.runs if figure in run.figures]

    def misses(self) -> list[str]:
        """Targets the median does not reach; a void run reaches none."""
        if self.void or not self.runs:
            return ["void"]
        wanted = self.journey.targets.items()
        return [
            figure.value
            for figure, bound in wanted
            if not bound.holds(median(self.values(figure)), peer=self.of_peer(figure))
        ]

    def of_peer(self, figure: Figure) -> float | None:
        values = self.peer.values(figure) if self.peer else []
        return median(values) if values else None


@dataclass(frozen=True, slots=True)
class Table:
    machine: Machine
    servers: Sequence[Server]
    rows: Sequence[Row]
    floors: Sequence[Floor]
    runs: int

    def markdown(self) -> str:
        machine = self.machine
        versions = ", ".join(f"{server.name} {server.version}" for server in self.servers)
        lines = [
            f"Measured {machine.when} on {machine.cpu}, {machine.cores} cores, Linux {machine.kernel}, "
            f"load average before {machine.load_before:.2f}. {versions}. Medians of {self.runs} run(s), "
            "in parentheses the smallest and largest.",
            "",
            *(line for rows in self._families() for line in _section(rows)),
        ]
        if self.floors:
            lines += ["| floor (100 readers, sender alone) | CPU-s/GB | µs/packet |", "|---|--:|--:|"]
            lines += [
                f"| {_FLOOR_NAMES[floor.mode]} | {floor.cpu_s_per_gb:.2f} | {floor.us_per_packet:.2f} |"
                for floor in self.floors
            ]
            lines.append("")
        lines += [note for row in self.rows for note in _notes(row)]
        return "\n".join(lines).rstrip() + "\n"

    def document(self) -> dict[str, Any]:
        """For machines: every run, not only medians."""
        return {
            "machine": dataclasses.asdict(self.machine),
            "servers": {server.name: server.version for server in self.servers},
            "floors": [dataclasses.asdict(floor) for floor in self.floors],
            "journeys": [
                {
                    "journey": row.journey.name,
                    "server": row.server.name,
                    "missed": row.misses(),
                    "void": row.void,
                    "runs": [dataclasses.asdict(run) for run in row.runs],
                }
                for row in self.rows
            ],
        }

    def _families(self) -> list[list[Row]]:
        families: dict[str, list[Row]] = {}
        for row in self.rows:
            families.setdefault(row.journey.family, []).append(row)
        return list(families.values())


def _section(rows: Sequence[Row]) -> Iterator[str]:
    figures = [figure for figure in Figure if any(row.values(figure) for row in rows)]
    yield "| journey | server | " + " | ".join(figure.value for figure in figures) + " | targets | met |"
    yield "|---|---|" + "--:|" * len(figures) + "---|---|"
    for row in rows:
        cells = [_cell(figure, row.values(figure)) for figure in figures]
        # Targets are ours; a peer is measured for comparison only.
        ours = row.server.role is Role.OURS
        wanted = row.journey.targets.items()
        targets = "; ".join(_target(row, figure, bound) for figure, bound in wanted) if ours else ""
        misses = row.misses()
        met = ("yes" if not misses else "no: " + ", ".join(misses)) if ours else ""
        yield f"| {row.journey.name} | {row.server.name} | " + " | ".join(cells) + f" | {targets} | {met} |"
    yield ""


def _notes(row: Row) -> Iterator[str]:
    name = f"- {row.journey.name}, {row.server.name}: "
    if isinstance(row.journey, Journey) and row.journey.stalled and row.runs:
        closed = [run.sockets_closed for run in row.runs]
        yield f"{name}connections closed, of {row.journey.stalled} stuck: {min(closed)} to {max(closed)}"
    yield from (f"{name}void: {why}" for why in row.void)


def _target(row: Row, figure: Figure, bound: Bound) -> str:
    text = f"{figure.value} {bound}"
    values, peer = row.values(figure), row.of_peer(figure)
    if not bound.times_peer or not values or not peer:
        return text
    return f"{text} (is {median(values) / peer:.2g})"


def _cell(figure: Figure, values: Sequence[float]) -> str:
    if not values:
        return "-"
    digits = _DIGITS.get(figure, 0)
    text = f"{median(values):.{digits}f}"
    if len(values) > 1 and figure in _SPREAD:
        text += f" ({min(values):.{digits}f} to {max(values):.{digits}f})"
    return text
