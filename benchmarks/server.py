"""The servers under test: how each is configured, started and stopped."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.process import on_cpus

__all__ = ["Running", "Server", "ServerError", "find_headgate", "find_mediamtx"]

_START_SECONDS = 20.0
_STOP_SECONDS = 10.0


class ServerError(RuntimeError):
    """A server did not start; the text ends with the last of what it said."""


@dataclass(frozen=True, slots=True)
class Server:
    """A program that can be measured."""

    name: str
    version: str
    command: tuple[str, ...]
    """The path of its configuration file is added."""
    off: tuple[str, ...]
    """Configuration keys to set to false: everything but RTSP."""

    @contextlib.contextmanager
    def running(self, *, cpus: Sequence[int], api: bool = False) -> Iterator["Running"]:
        """Start on free ports of loopback, wait until it listens, stop on leaving.

        `api`: with its control API. Raises ServerError when it ends or does not listen in time.
        """
        with tempfile.TemporaryDirectory(prefix="headgate-bench-") as name:
            folder = Path(name)
            port, api_port = _free_port(), _free_port() if api else None
            file = folder / "server.yml"
            file.write_text(
                _configuration(port=port, media_port=_free_even_pair(), api_port=api_port, off=self.off)
            )
            with (folder / "log").open("wb") as log, on_cpus(cpus):
                process = subprocess.Popen(
                    [*self.command, str(file)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=folder,
                    env=os.environ | {"HEADGATE_STATE_DIR": str(folder), "HEADGATE_TURN_INTERFACES": ""},
                )
            running = Running(
                server=self, process=process, port=port, api_port=api_port or 0, log=folder / "log"
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
        ports = [self.port, self.api_port] if self.api_port else [self.port]
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise ServerError(
                    f"{self.server.name} ended with {self.process.returncode}: {self.last_words()}"
                )
            with contextlib.suppress(OSError):
                while ports:
                    socket.create_connection(("127.0.0.1", ports[0]), timeout=1).close()
                    del ports[0]
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


def find_headgate(root: Path) -> Server:
    """The program `make setup` builds. Raises ServerError when there is none."""
    program = root / ".venv/bin/headgate"
    if not program.exists():
        raise ServerError(f"{program} is missing: run `make setup`")
    return Server(
        name="headgate",
        version=_headgate_version(root, program),
        command=(str(program), "run"),
        off=("api", "metrics", "playback", "rtmp", "hls", "webrtc", "srt"),
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
    return Server(name="mediamtx", version=version, command=(program,), off=tuple(off))


def _headgate_version(root: Path, program: Path) -> str:
    version = _version([str(program), "version"]).removeprefix("headgate ")
    # The Makefile's stamp of the profile the engine was last built with.
    optimised = (root / ".venv/.engine-release").exists()
    return version if optimised else f"{version} (engine not built by `make setup`: perhaps not optimised)"


def _version(command: Sequence[str]) -> str:
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    lines = result.stdout.split("\n")
    return lines[0].strip() if result.returncode == 0 else "unknown"


def _configuration(*, port: int, media_port: int, api_port: int | None, off: Sequence[str]) -> str:
    api = [] if api_port is None else ["api: true", f"apiAddress: 127.0.0.1:{api_port}"]
    lines = [
        "logLevel: error",
        "rtsp: true",
        "rtspTransports: [udp, tcp]",
        f"rtspAddress: 127.0.0.1:{port}",
        f"rtpAddress: 127.0.0.1:{media_port}",
        f"rtcpAddress: 127.0.0.1:{media_port + 1}",
        *(f"{key}: false" for key in off if key != "api" or not api),
        *api,
        "paths:",
        "  all_others: {}",
    ]
    return "\n".join(lines) + "\n"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
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
