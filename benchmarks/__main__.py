"""`python -m benchmarks`: measure headgate, its peers where there are any, and the floors."""

import argparse
import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.control import NAME as CONTROL
from benchmarks.control import ControlRow, control_table, put_control_on
from benchmarks.journey import Journey
from benchmarks.journeys import JOURNEYS, RELAY_JOURNEYS, ROOMS_JOURNEYS
from benchmarks.load import Load, LoadError, Run
from benchmarks.machine import Machine
from benchmarks.relay import RelayJourney
from benchmarks.relay_server import find_coturn, find_headgate_relay, relay_floor
from benchmarks.rooms import RoomsJourney
from benchmarks.rooms_server import find_headgate_rooms, find_spreed, rooms_floor
from benchmarks.server import Role, Running, Server, ServerError, find_headgate, find_mediamtx
from benchmarks.table import Row, Table

AnyJourney = Journey | RelayJourney | RoomsJourney

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    arguments = _arguments()
    # Each reader is a descriptor or three, here and in the server; children inherit the limit.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    broadcasts = [journey for journey in JOURNEYS if _chosen(journey, arguments)]
    relays = [journey for journey in RELAY_JOURNEYS if _chosen(journey, arguments)]
    meetings = [journey for journey in ROOMS_JOURNEYS if _chosen(journey, arguments)]
    control = not arguments.only or arguments.only in CONTROL
    if not broadcasts and not relays and not meetings and not control:
        print(f"no journey is named {arguments.only!r}", file=sys.stderr)
        return 2
    try:
        media = _servers(find_headgate, find_mediamtx, arguments.server) if broadcasts or control else []
        relaying = _servers(find_headgate_relay, find_coturn, arguments.server) if relays else []
        meeting = _servers(find_headgate_rooms, find_spreed, arguments.server) if meetings else []
        load = Load.find(ROOT)
        machine = Machine.here()
        # The floors are those of media to readers.
        floors = load.floors(seconds=arguments.seconds / 2) if broadcasts else []
        with_floors = not arguments.server or "floor" in arguments.server
        below = [relay_floor(load.program)] if with_floors else []
        below_rooms = [rooms_floor()] if with_floors else []
    except (ServerError, LoadError) as error:
        print(error, file=sys.stderr)
        return 1
    pairs: list[tuple[AnyJourney, list[Server]]] = [
        *((journey, media) for journey in broadcasts),
        *(
            (journey, below if journey.direct else [*relaying, *(below if journey.floor else [])])
            for journey in relays
        ),
        *((journey, [*meeting, *(below_rooms if journey.floor else [])]) for journey in meetings),
    ]
    rows = [row for journey, servers in pairs for row in _measure(load, journey, servers, arguments)]
    control_rows = _measure_control(load, media, arguments) if control else []
    if not rows and not control_rows:
        print(f"none of {arguments.server} has such a journey", file=sys.stderr)
        return 2
    every = [*media, *(server for _, servers in pairs for server in servers)]
    servers = list({server.name: server for server in every}.values())
    table = Table(machine=machine, servers=servers, rows=rows, floors=floors, runs=arguments.runs)
    text = table.markdown() + control_table(control_rows)
    print(text)
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    stem = results / machine.when.replace(":", "").replace("+0000", "Z")
    stem.with_suffix(".md").write_text(text)
    stem.with_suffix(".json").write_text(
        json.dumps(table.document() | {"control": [row.document() for row in control_rows]}, indent=1)
    )
    return 1 if any(row.void for row in rows) or any(row.void for row in control_rows) else 0


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


def _measure(
    load: Load, journey: AnyJourney, servers: list[Server], arguments: argparse.Namespace
) -> list[Row]:
    """All runs of one journey, the servers taking turns so that both meet the same weather."""
    rows = [Row(journey, server) for server in servers]
    for row in rows:
        row.peer = next((other for other in rows if other.server.role is Role.PEER), None)
    for turn in range(arguments.runs):
        for row in rows:
            print(f"{journey.name}: {row.server.name}, run {turn + 1} of {arguments.runs}", file=sys.stderr)
            try:
                with row.server.running(cpus=load.server_cpu if journey.pinned else ()) as running:
                    row.runs.append(_run(load, journey, running, seconds=arguments.seconds))
            except (ServerError, LoadError) as error:
                print(f"  void: {error}", file=sys.stderr)
                row.void.append(str(error).replace("\n", " ")[-300:])
    return rows


def _run(load: Load, journey: AnyJourney, running: Running, *, seconds: float) -> Run:
    if isinstance(journey, Journey):
        return load.put_on(running, journey, seconds=seconds)
    return journey.put_on(running, load, seconds=seconds)


def _servers(
    find_ours: Callable[[Path], Server], find_peer: Callable[[], Server | None], names: list[str] | None
) -> list[Server]:
    """Ours and its peer, or those of them that `names` has."""
    ours = [find_ours(ROOT)] if not names or "headgate" in names else []
    peer = find_peer()
    return [*ours, *([peer] if peer and (not names or peer.name in names) else [])]


def _chosen(journey: AnyJourney, arguments: argparse.Namespace) -> bool:
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
        choices=["headgate", "mediamtx", "coturn", "spreed", "floor"],
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
