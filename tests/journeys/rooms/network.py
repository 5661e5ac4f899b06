"""A machine whose network can be unplugged: a namespace behind a pair of virtual interfaces."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.journeys.program import require

__all__ = ["Network"]


class Network:
    def __init__(self, name: str, number: int) -> None:
        self._name = name
        self._inner, self._outer = f"{name}i", f"{name}o"
        self.near = f"10.213.{number}.1"
        """Our address, as the machine sees it."""
        self._far = f"10.213.{number}.2"

    @classmethod
    @contextmanager
    def open(cls) -> Iterator[Network]:
        require("ip")
        number = os.getpid() % 250
        network = cls(f"hg{number}", number)
        if subprocess.run(["ip", "netns", "add", network._name], capture_output=True).returncode != 0:
            reason = "namespaces of the network may not be made here (be root)"
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)
        try:
            network._join()
            yield network
        finally:
            _ip("netns", "delete", network._name)

    def program(self, program: str, directory: Path) -> Path:
        """A script that runs this program on the machine."""
        script = directory / "there"
        script.write_text(f'#!/bin/sh\nexec ip netns exec {self._name} {program} "$@"\n')
        script.chmod(0o755)
        return script

    def unplug(self) -> None:
        _ip("link", "set", self._outer, "down")

    def plug(self) -> None:
        _ip("link", "set", self._outer, "up")

    def _join(self) -> None:
        inside = ("-n", self._name)
        _ip("link", "add", self._outer, "type", "veth", "peer", "name", self._inner, "netns", self._name)
        _ip("address", "add", f"{self.near}/30", "dev", self._outer)
        _ip("link", "set", self._outer, "up")
        _ip(*inside, "address", "add", f"{self._far}/30", "dev", self._inner)
        _ip(*inside, "link", "set", self._inner, "up")
        _ip(*inside, "link", "set", "lo", "up")
        _ip(*inside, "route", "add", "default", "via", self.near)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=10)
