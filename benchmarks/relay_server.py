"""The TURN servers under test: how each is configured, and when it is ready.

All have one static user `bench`, relay from and to loopback, and limit nothing.
"""

import functools
import os
import re
import secrets
import shutil
import socket
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmarks.server import Place, Role, Server, headgate_command

__all__ = ["find_coturn", "find_headgate_relay", "relay_floor"]

_BINDING, _BOUND, _COOKIE = 0x0001, 0x0101, 0x2112A442
_ANSWER_SECONDS = 0.25


def find_headgate_relay(root: Path) -> Server:
    """The program `make setup` builds. Raises ServerError when there is none."""
    program, version = headgate_command(root)
    return Server("headgate", version, functools.partial(_prepare_headgate, program), _answers, Role.OURS)


def find_coturn() -> Server | None:
    """The `turnserver` on PATH, if there is one: Debian's package `coturn`."""
    program = shutil.which("turnserver")
    if program is None:
        return None
    told = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=False)
    found = re.search(r"\d+\.\d+(\.\d+)?", told.stdout)
    version = found[0] if found else "unknown"
    return Server("coturn", version, functools.partial(_prepare_coturn, program), _answers)


def relay_floor(generator: Path) -> Server:
    """The generator itself as a relay that decides nothing."""

    def prepare(place: Place) -> Sequence[str]:
        return [str(generator), "turn-floor", "--listen", f"127.0.0.1:{place.port}"]

    return Server("floor", "of the generator", prepare, _answers, Role.FLOOR)


def _answers(port: int) -> bool:
    """Whether a Binding request is answered; coturn binds its port seconds before it serves."""
    request = struct.pack("!HHI", _BINDING, 0, _COOKIE) + secrets.token_bytes(12)
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.settimeout(_ANSWER_SECONDS)
        probe.connect(("127.0.0.1", port))
        try:
            probe.send(request)
            answer = probe.recv(2048)
        except OSError:
            return False
    return answer[:2] == struct.pack("!H", _BOUND) and answer[4:20] == request[4:]


def _prepare_headgate(program: str, place: Place) -> Sequence[str]:
    off = ("api", "metrics", "playback", "rtsp", "rtmp", "hls", "webrtc", "srt")
    lines = [
        "logLevel: error",
        *(f"{key}: false" for key in off),
        "rooms: {address: ''}",
        "turn:",
        "  realm: bench",
        f"  interfaces: [{{transport: udp, bind: '127.0.0.1:{place.port}'}}]",
        "  relayAddresses: [127.0.0.1]",
        "  users: {bench: bench}",
        "  peers: {allow: [127.0.0.0/8, '::1/128']}",
        "  quotas:",
        *(f"    {quota}: 0" for quota in _QUOTAS),
    ]
    file = place.folder / "server.yml"
    file.write_text("\n".join(lines) + "\n")
    return [program, "run", str(file)]


_QUOTAS = (
    "allocations",
    "allocationsPerUser",
    "allocationsPerAddress",
    "newAllocationsPerSecond",
    "answersPerSecond",
    "bytesPerSecond",
)


def _prepare_coturn(program: str, place: Place) -> Sequence[str]:
    # One relay thread where it has one CPU; its own choice, which counts all CPUs, otherwise.
    threads = ["--relay-threads", str(len(place.cpus))] if place.cpus else []
    return [
        program,
        "-n",  # no configuration file
        f"--listening-port={place.port}",
        "--listening-ip=127.0.0.1",
        "--relay-ip=127.0.0.1",
        "--min-port=49152",
        "--max-port=65535",
        "--lt-cred-mech",
        "--user=bench:bench",
        "--realm=bench",
        "--allow-loopback-peers",
        *("--no-tls", "--no-dtls", "--no-tcp", "--no-tcp-relay", "--no-cli", "--no-rfc5780"),
        "--no-software-attribute",
        f"--userdb={place.folder / 'turndb'}",
        f"--pidfile={place.folder / 'pid'}",
        "--no-stdout-log",
        f"--log-file={os.devnull}",
        "--simple-log",
        *threads,
    ]
