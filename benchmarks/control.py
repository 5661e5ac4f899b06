"""The control API with a thousand paths: what adding one more costs, and listing them all."""

import contextlib
import dataclasses
import http.client
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.server import Running, Server, ServerError

__all__ = ["NAME", "ControlRow", "ControlRun", "control_table", "put_control_on"]

NAME = "api-1000-paths"
PATHS = 1000
LAST = 50
"""Of the paths added, those whose time counts: there are nearly a thousand by then."""
CALLS = 20
TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class ControlRun:
    """Medians in milliseconds, from sending a request until its answer is read, over one connection."""

    add: float
    """One more path: checked, in force and kept on disk."""
    list: float
    """`/v3/paths/list` of them all."""
    list_configurations: float
    patch_defaults: float
    """A key of `pathDefaults`, which every path then has."""


TARGETS = {"add": 2.0, "list": 5.0}
TITLES = {
    "add": "add the 1,000th, ms",
    "list": "list 1,000, ms",
    "list_configurations": "list 1,000 configurations, ms",
    "patch_defaults": "patch the path defaults, ms",
}


@dataclass(slots=True)
class ControlRow:
    server: Server
    runs: list[ControlRun] = field(default_factory=list)
    void: list[str] = field(default_factory=list)

    def median(self, name: str) -> float | None:
        values = [getattr(run, name) for run in self.runs]
        return median(values) if values else None

    def document(self) -> dict[str, Any]:
        runs = [dataclasses.asdict(run) for run in self.runs]
        return {"journey": NAME, "server": self.server.name, "void": self.void, "runs": runs}


def put_control_on(running: Running) -> ControlRun:
    """Raises ServerError when a call fails."""
    with _connected(running) as call:
        adds = [
            _timed(lambda n=n: call("POST", f"/v3/config/paths/add/cam{n:04}", {"maxReaders": 5}))
            for n in range(PATHS)
        ]
        listed = [_timed(lambda: call("GET", f"/v3/paths/list?itemsPerPage={PATHS}")) for _ in range(CALLS)]
        configured = [
            _timed(lambda: call("GET", f"/v3/config/paths/list?itemsPerPage={PATHS}")) for _ in range(CALLS)
        ]
        patched = [
            _timed(
                lambda n=n: call(
                    "PATCH", "/v3/config/pathdefaults/patch", {"sourceOnDemandCloseAfter": f"{n}s"}
                )
            )
            for n in range(11, 16)
        ]
    milliseconds = (median(times) * 1e3 for times in (adds[-LAST:], listed, configured, patched))
    return ControlRun(*milliseconds)


def control_table(rows: Sequence[ControlRow]) -> str:
    """Markdown; "" where nothing was measured."""
    if not rows:
        return ""
    lines = [
        "",
        "| control API | server | " + " | ".join(TITLES.values()) + " | targets | met |",
        "|---|---|" + "--:|" * len(TITLES) + "---|---|",
    ]
    for row in rows:
        values = {name: row.median(name) for name in TITLES}
        cells = ["-" if value is None else f"{value:.1f}" for value in values.values()]
        ours = row.server.name == "headgate"
        targets = "; ".join(f"{name} ≤ {most:g} ms" for name, most in TARGETS.items()) if ours else ""
        missed = [name for name, most in TARGETS.items() if (values[name] or most + 1) > most]
        met = ("no: " + ", ".join(missed) if missed else "yes") if ours else ""
        lines.append(f"| {NAME} | {row.server.name} | " + " | ".join(cells) + f" | {targets} | {met} |")
    lines += [f"- {NAME}, {row.server.name}: void: {why}" for row in rows for why in row.void]
    return "\n".join(lines) + "\n"


Call = Callable[..., None]


@contextlib.contextmanager
def _connected(running: Running) -> Iterator[Call]:
    connection = http.client.HTTPConnection("127.0.0.1", running.api_port, timeout=TIMEOUT)

    def call(method: str, url: str, body: object = None) -> None:
        try:
            connection.request(method, url, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise ServerError(f"{method} {url}: {error or type(error).__name__}") from None
        if answer.status != 200:
            raise ServerError(f"{method} {url} answered {answer.status}: {content[:200]!r}")

    with contextlib.closing(connection):
        yield call


def _timed(call: Callable[[], None]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
