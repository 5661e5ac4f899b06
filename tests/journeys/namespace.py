"""A network of a test's own, in which the loopback interface can multicast."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["lose_datagrams", "own_network"]

CLONE_NEWNET = 0x40000000
HERE = Path("/proc/thread-self/ns/net")
COMMANDS = (
    "ip link set lo up",
    "ip link set lo multicast on",
    "ip route add 224.0.0.0/4 dev lo src 127.0.0.1",  # for those who name no interface
)

NO_DATAGRAMS = (
    "ip rule add pref 10 lookup local",
    "ip rule add pref 5 ipproto udp blackhole",
    "ip rule del pref 0",
)


def lose_datagrams() -> None:
    """From now on none gets through in this network, as with many a firewall; TCP does."""
    _run(NO_DATAGRAMS)


def _run(commands: tuple[str, ...]) -> None:
    for command in commands:
        subprocess.run(command.split(), check=True, timeout=10)


@contextmanager
def own_network() -> Iterator[None]:
    """This thread, and what it starts meanwhile, sees nothing of the machine's network.

    It takes the right to make a network namespace (root, CAP_SYS_ADMIN). Without it a journey
    over multicast would depend on what the machine's interfaces are: it fails, and says so.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open(HERE, os.O_RDONLY)
    try:
        if libc.unshare(CLONE_NEWNET) != 0:
            pytest.fail(
                "journeys over multicast need a network namespace of their own, and this user may make none:"
                f" {os.strerror(ctypes.get_errno())}; run them as root, in a container with CAP_SYS_ADMIN"
            )
        try:
            _run(COMMANDS)
            yield
        finally:
            assert libc.setns(before, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
    finally:
        os.close(before)
