"""`python -m benchmarks`: measure headgate, its peer if there is one, and the floors."""

import argparse
import json
import resource
import sys
from pathlib import Path

from benchmarks.control import NAME as CONTROL
from benchmarks.control import ControlRow, control_table, put_control_on
from benchmarks.journey import Journey
from benchmarks.journeys import JOURNEYS
from benchmarks.load import Load, LoadError
from benchmarks.machine import Machine
from benchmarks.server import Server, ServerError, find_headgate, find_mediamtx
from benchmarks.table import Row, Table

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    arguments = _arguments()
    # Each reader is a descriptor or three, here and in the server; children inherit the limit.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    journeys = [journey for journey in JOURNEYS if _chosen(journey, arguments)]
    control = not arguments.only or arguments.only in CONTROL
    if not journeys and not control:
        print(f"no journey is named {arguments.only!r}", file=sys.stderr)
        return 2
    try:
        servers = _servers(arguments.server)
        load = Load.find(ROOT)
        machine = Machine.here()
        floors = load.floors(seconds=arguments.seconds / 2) if journeys else []
    except (ServerError, LoadError) as error:
        print(error, file=sys.stderr)
        return 1
    rows = [row for journey in journeys for row in _measure(load, journey, servers, arguments)]
    table = Table(machine=machine, servers=servers, rows=rows, floors=floors, runs=arguments.runs)
    control_rows = _measure_control(load, servers, arguments) if control else []
    text = table.markdown() + control_table(control_rows)
    print(text)
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    stem = results / machine.when.replace(":", "").replace("+0000", "Z")
    stem.with_suffix(".md").write_text(text)
    stem.with_suffix(".json").write_text(
        json.dumps(table.document() | {"control": [row.document() for row in control_rows]}, indent=1)
    )
    return 1 if any(row.void for row in [*rows, *control_rows]) else 0


def _measure_control(load: Load, servers: list[Server], arguments: argparse.Namespace) -> list[ControlRow]:
    rows = [ControlRow(server) for server in servers]
    for turn in range(arguments.runs):
        for row in rows:
            print(f"{CONTROL}: {row.server.name}, run {turn + 1} of {arguments.runs}", file=sys.stderr)
            try:
                with row.server.running(cpus=load.server_cpu, api=True) as running:
                    row.runs.append(put_control_on(running))
            except ServerError as error:
                print(f"  void: {error}", file=sys.stderr)
                row.void.append(str(error).replace("\n", " ")[-300:])
    return rows


def _measure(load: Load, journey: Journey, servers: list[Server], arguments: argparse.Namespace) -> list[Row]:
    """All runs of one journey, the servers taking turns so that both meet the same weather."""
    rows = [Row(journey, server) for server in servers]
    for turn in range(arguments.runs):
        for row in rows:
            print(f"{journey.name}: {row.server.name}, run {turn + 1} of {arguments.runs}", file=sys.stderr)
            try:
                with row.server.running(cpus=load.server_cpu if journey.pinned else ()) as running:
                    row.runs.append(load.put_on(running, journey, seconds=arguments.seconds))
            except (ServerError, LoadError) as error:
                print(f"  void: {error}", file=sys.stderr)
                row.void.append(str(error).replace("\n", " ")[-300:])
    return rows


def _servers(names: list[str] | None) -> list[Server]:
    peer = find_mediamtx()
    if not names:
        return [find_headgate(ROOT), *([peer] if peer else [])]
    found = []
    for name in names:
        if name == "headgate":
            found.append(find_headgate(ROOT))
        elif peer is None:
            raise ServerError("there is no mediamtx on PATH")
        else:
            found.append(peer)
    return found


def _chosen(journey: Journey, arguments: argparse.Namespace) -> bool:
    if arguments.only:
        return bool(arguments.only in journey.name)
    return journey.quick or not arguments.quick


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="one short run of the main journeys (a minute or two)"
    )
    parser.add_argument(
        "--runs", type=int, help="of each journey and server; the table shows medians (3; quick: 1)"
    )
    parser.add_argument("--seconds", type=float, help="each run measures for (8; quick: 4)")
    parser.add_argument("--only", metavar="TEXT", help="only journeys whose name has TEXT in it")
    parser.add_argument(
        "--server",
        action="append",
        choices=["headgate", "mediamtx"],
        help="only this server; may be repeated",
    )
    arguments = parser.parse_args()
    arguments.runs = arguments.runs or (1 if arguments.quick else 3)
    arguments.seconds = arguments.seconds or (4.0 if arguments.quick else 8.0)
    if arguments.runs < 1 or not 1 <= arguments.seconds <= 600:
        parser.error("--runs must be at least 1, --seconds 1 to 600")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
