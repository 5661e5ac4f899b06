"""coturn's test programs, aimed at our relay."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.journeys.program import Program, require

__all__ = ["PASSWORD", "SECRET", "USER", "Tally", "peer", "run", "uclient"]

USER, PASSWORD = "user", "a password"
SECRET = "a shared secret of some length"
TIMEOUT = 60.0  # seconds; the longest of them takes ten on an idle machine

Tally = tuple[int, int, int]
"""Messages lost, bytes sent, bytes received."""


def run(program: str, *arguments: str, accept: tuple[int, ...] = (0,)) -> str:
    """What it printed."""
    require(program)
    done = subprocess.run(
        [program, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode in accept, done.stdout
    return done.stdout


def uclient(*arguments: str, port: int, server: str = "127.0.0.1", login: tuple[str, ...] = ()) -> Tally:
    """Its pass mark is not its exit code, but what it counted."""
    credentials = login or ("-u", USER, "-w", PASSWORD)
    text = run("turnutils_uclient", "-p", str(port), *credentials, *arguments, server, accept=(0, 255))
    lost = re.findall(r"Total lost packets (\d+)", text)
    moved = re.findall(r"tot_send_bytes ~ (\d+), tot_recv_bytes ~ (\d+)", text)
    assert lost, text
    assert moved, text
    sent, received = moved[-1]
    return int(lost[-1]), int(sent), int(received)


@contextmanager
def peer(directory: Path, port: int) -> Iterator[None]:
    """Echoes on this port and the next, of IPv4 and IPv6."""
    require("turnutils_peer")
    command = ["turnutils_peer", "-L", "127.0.0.1", "-L", "::1", "-p", str(port)]
    program = Program(command, directory / "peer.log")
    try:
        program.until(lambda: _listens(port))
        yield
    finally:
        program.process.kill()
        program.process.wait()


def _listens(port: int) -> bool:
    """Whether somebody has bound it, as the kernel tells."""
    wanted = f":{port + 1:04X} "
    return all(wanted in Path(f"/proc/net/{table}").read_text() for table in ("udp", "udp6"))
