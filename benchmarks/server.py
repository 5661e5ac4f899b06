"""The servers under test: how each is started and stopped, and how the RTSP ones are configured."""

import contextlib
import functools
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from benchmarks.process import on_cpus

__all__ = [
    "Place",
    "Role",
    "Running",
    "Server",
    "ServerError",
    "find_headgate",
    "find_mediamtx",
    "headgate_command",
]

_START_SECONDS = 20.0
_STOP_SECONDS = 10.0


class ServerError(RuntimeError):
    """A server did not start; the text ends with the last of what it said."""


class Role(Enum):
    """What a server's figures are for."""

    OURS = auto()
    """Judged by the targets."""
    PEER = auto()
    """What ours is compared with."""
    FLOOR = auto()
    """What the kernel alone asks."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server is to run."""

    folder: Path
    """Its own, and gone afterwards."""
    port: int
    api_port: int | None
    """Where its control API is wanted; None: nowhere."""
    cpus: Sequence[int]
    """Empty: wherever the scheduler puts it."""


def _accepts(port: int) -> bool:
    """Whether somebody listens on that TCP port of loopback."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@dataclass(frozen=True, slots=True)
class Server:
    """A program that can be measured."""

    name: str
    version: str
    prepare: Callable[[Place], Sequence[str]]
    """Writes its configuration; returns the command line."""
    listens: Callable[[int], bool] = _accepts
    """Whether it serves on that port of loopback. Asked often; takes a second at most."""
    role: Role = Role.PEER

    @contextlib.contextmanager
    def running(self, *, cpus: Sequence[int], api: bool = False) -> Iterator["Running"]:
        """Start on free ports of loopback, wait until it listens, stop on leaving.

        `api`: with its control API. Raises ServerError when it ends or does not listen in time.
        """
        with tempfile.TemporaryDirectory(prefix="headgate-bench-") as name:
            place = Place(
                folder=Path(name), port=_free_port(), api_port=_free_port() if api else None, cpus=cpus
            )
            command = self.prepare(place)
            log = place.folder / "log"
            with log.open("wb") as out, on_cpus(cpus):
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    cwd=place.folder,
                    env=os.environ | {"HEADGATE_STATE_DIR": name},
                )
            running = Running(
                server=self, process=process, port=place.port, api_port=place.api_port or 0, log=log
            )
            try:
                running.wait_until_listening()
                yield running
            finally:
                running.stop()


@dataclass(frozen=True, slots=True)
class Running:
    """A started server."""

    server: Server
    process: subprocess.Popen[bytes]
    port: int
    api_port: int
    """0 while it is off."""
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def url(self, path: str) -> str:
        return f"rtsp://127.0.0.1:{self.port}/{path}"

    def wait_until_listening(self) -> None:
        """Raises ServerError when the process ends, or does not listen in time."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise ServerError(
                    f"{self.server.name} ended with {self.process.returncode}: {self.last_words()}"
                )
            if self.server.listens(self.port) and (not self.api_port or _accepts(self.api_port)):
                return
            time.sleep(0.05)
        raise ServerError(f"{self.server.name} does not listen: {self.last_words()}")

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-2000:].strip()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def headgate_command(root: Path) -> tuple[str, str]:
    """The program `make setup` builds, and its version. Raises ServerError when there is none."""
    program = root / ".venv/bin/headgate"
    if not program.exists():
        raise ServerError(f"{program} is missing: run `make setup`")
    return str(program), _headgate_version(root, program)


def find_headgate(root: Path) -> Server:
    """Raises ServerError as `headgate_command` does."""
    program, version = headgate_command(root)
    off = ("api", "metrics", "playback", "rtmp", "hls", "webrtc", "srt")
    return Server(
        "headgate", version, functools.partial(_prepare, (program, "run"), off, own=_OWN), role=Role.OURS
    )


def find_mediamtx() -> Server | None:
    """The `mediamtx` on PATH, if there is one."""
    program = shutil.which("mediamtx")
    if program is None:
        return None
    version = _version([program, "--version"])
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    off = ["api", "metrics", "playback", "rtmp", "hls", "webrtc", "srt"]
    if numbers >= (1, 19):
        off.append("moq")
    return Server("mediamtx", version, functools.partial(_prepare, (program,), off))


def _headgate_version(root: Path, program: Path) -> str:
    version = _version([str(program), "version"]).removeprefix("headgate ")
    # The Makefile's stamp of the profile the engine was last built with.
    optimised = (root / ".venv/.engine-release").exists()
    return version if optimised else f"{version} (engine not built by `make setup`: perhaps not optimised)"


def _version(command: Sequence[str]) -> str:
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    lines = result.stdout.split("\n")
    return lines[0].strip() if result.returncode == 0 else "unknown"


# Sections that only we have, switched off.
_OWN = ("turn: {interfaces: []}", "rooms: {address: ''}")


def _prepare(
    command: Sequence[str], off: Sequence[str], place: Place, *, own: Sequence[str] = ()
) -> Sequence[str]:
    """Everything but RTSP is switched off by the keys `off` and the lines `own`."""
    file = place.folder / "server.yml"
    file.write_text(_configuration(place, media_port=_free_even_pair(), off=off, own=own))
    return [*command, str(file)]


def _configuration(place: Place, *, media_port: int, off: Sequence[str], own: Sequence[str]) -> str:
    api = [] if place.api_port is None else ["api: true", f"apiAddress: 127.0.0.1:{place.api_port}"]
    lines = [
        "logLevel: error",
        "rtsp: true",
        "rtspTransports: [udp, tcp]",
        f"rtspAddress: 127.0.0.1:{place.port}",
        f"rtpAddress: 127.0.0.1:{media_port}",
        f"rtcpAddress: 127.0.0.1:{media_port + 1}",
        *(f"{key}: false" for key in off if key != "api" or not api),
        *api,
        *own,
        "paths:",
        "  all_others: {}",
    ]
    return "\n".join(lines) + "\n"


def _free_port() -> int:
    """For TCP and UDP."""
    while True:
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            stream.bind(("127.0.0.1", 0))
            port: int = stream.getsockname()[1]
            with contextlib.suppress(OSError):
                datagrams.bind(("127.0.0.1", port))
                return port


def _free_even_pair() -> int:
    """An even UDP port whose successor is free too, as RTP wants."""
    for _ in range(200):
        with (
            socket.socket(type=socket.SOCK_DGRAM) as even,
            socket.socket(type=socket.SOCK_DGRAM) as odd,
            contextlib.suppress(OSError),
        ):
            even.bind(("127.0.0.1", 0))
            port: int = even.getsockname()[1]
            if port % 2 == 0:
                odd.bind(("127.0.0.1", port + 1))
                return port
    raise ServerError("no two neighbouring UDP ports are free")
