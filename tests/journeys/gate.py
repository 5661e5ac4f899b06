"""A headgate server, started and looked at as an operator would."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from ruamel.yaml import YAML

from tests.journeys.events import Events

__all__ = ["PROGRAM", "READ_TIMEOUT", "WRITE_TIMEOUT", "Gate", "settings"]

PROGRAM = Path(sys.executable).with_name("headgate")
START = 40.0  # seconds; a dev build on a machine with ten times the work that it has cores for
READ_TIMEOUT = WRITE_TIMEOUT = 2.0  # seconds: long for loopback, short for a test


def settings(**changes: object) -> dict[str, object]:
    """The configuration of a journey: every port is the system's choice."""
    return {
        "readTimeout": f"{READ_TIMEOUT:g}s",
        "writeTimeout": f"{WRITE_TIMEOUT:g}s",
        "apiAddress": "127.0.0.1:0",
        "rtspAddress": "127.0.0.1:0",
        "rtpAddress": "127.0.0.1:0",
        "rtcpAddress": "127.0.0.1:0",
        "rooms": {"address": ""},
        "turn": {"interfaces": []},
        "paths": {"all_others": None},
        **changes,
    }


class Gate:
    """A running server: its process, its ports, its operator's listener and its events."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process = process
        self.printed, self.operator = _start(process, log)
        """What it printed up to its operator's address, and that address."""
        self._log = log
        self._said = threading.Condition()
        # What a pipe holds is little, and the lines are wanted when a journey fails.
        threading.Thread(target=self._keep_log, name="server log", daemon=True).start()
        self.http = httpx.Client(base_url=self.operator, timeout=10.0, trust_env=False)
        self.events = Events(self.operator)

    @classmethod
    @contextmanager
    def open(cls, directory: Path, configuration: Mapping[str, object]) -> Iterator[Gate]:
        """Start a server and leave when it is stopped; a server that ends badly fails the test."""
        file, log = directory / "headgate.yml", directory / "headgate.log"
        YAML().dump(dict(configuration), file)
        with (
            log.open("a") as errors,
            subprocess.Popen(
                [PROGRAM, "run", file],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, "HEADGATE_STATE_DIR": str(directory / "state")},
            ) as process,
        ):
            try:
                gate = cls(process, log)
                try:
                    yield gate
                finally:
                    gate.events.close()
                    gate.http.close()
                process.terminate()  # of no effect on one that the test has stopped already
                assert process.wait(START) == 0, f"the server did not stop well\n{gate.log}"
            finally:
                process.kill()

    def _keep_log(self) -> None:
        assert self.process.stdout is not None
        with self._log.open("a") as log, contextlib.suppress(ValueError):  # closed under us, at the end
            for line in self.process.stdout:
                with self._said:
                    log.write(line)
                    log.flush()
                    self._said.notify_all()

    def says(self, text: str) -> str:
        """The first line with this in it that the server printed after its operator's address."""

        def found() -> str | None:
            return next((line for line in self.log.splitlines() if text in line), None)

        with self._said:
            line = self._said.wait_for(found, START)
        assert line, f"no line says {text!r}:\n{self.log}"
        return line

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def get(self, path: str) -> Any:
        """The JSON document at a path of the operator's listener."""
        answer = self.http.get(path)
        assert answer.status_code == 200, f"GET {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def status(self, path: str) -> int:
        return self.http.get(path).status_code

    def port(self, service: str, *, transport: str = "TCP") -> int:
        """A bound port of a service, as `/v1/services` tells it."""
        listeners = self.get(f"/v1/services/{service}")["data"]["attributes"]["listeners"]
        for listener in listeners:
            parameters = listener["attributes"]["parameters"]
            if parameters.get("transport", "TCP") == transport:
                return int(parameters["port"])
        raise AssertionError(f"{service} has no {transport} listener: {listeners}")

    def rtsp(self, path: str) -> str:
        return f"rtsp://127.0.0.1:{self.port('RTSP')}/{path}"

    def resident(self) -> int:
        """Bytes of memory the server holds."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) * 1024

    def descriptors(self) -> int:
        """How many the server has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))


def _start(process: subprocess.Popen[str], log: Path) -> tuple[str, str]:
    """Read the lines a starting server prints up to its operator's address; both."""
    assert process.stdout is not None
    printed = ""
    watchdog = threading.Timer(START, process.kill)
    watchdog.start()
    try:
        for line in process.stdout:
            printed += line
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                return printed, found[0]
    finally:
        watchdog.cancel()
    pytest.fail(f"the server did not start:\n{printed}\n{log.read_text(errors='replace')}")
