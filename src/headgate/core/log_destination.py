"""Where log lines can go. Each is used by the thread of `LogWriter` alone."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
from pathlib import Path
from typing import Protocol

from headgate.core.errors import LogError

__all__ = ["Destination", "LogFile", "StandardStreams", "SystemLog"]

SYSTEM_LOG = Path("/dev/log")
DAEMON = 3  # RFC 3164 4.1.1, the facility
DATAGRAM_LIMIT = 8192  # bytes; what rsyslog takes by default
SEND_TIMEOUT = 1.0  # seconds


class Destination(Protocol):
    def write(self, level: int, line: str) -> None:
        """Raises OSError or ValueError when the line could not be written."""

    def reopen(self) -> None:
        """Begin anew where that means something: the file was moved away. Raises OSError."""

    def close(self) -> None: ...


class StandardStreams:
    """Warnings and errors go to stderr, the rest to stdout."""

    def write(self, level: int, line: str) -> None:
        print(line, file=sys.stderr if level >= logging.WARNING else sys.stdout, flush=True)

    def reopen(self) -> None:
        pass

    def close(self) -> None:
        pass


class LogFile:
    """Appends. Opened at once: raises LogError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._descriptor = self._open()
        except OSError as error:
            raise LogError(
                f"cannot write {path} (logFile): {(error.strerror or str(error)).lower()}"
            ) from None

    def write(self, level: int, line: str) -> None:
        data = f"{line}\n".encode(errors="replace")
        while data:
            data = data[os.write(self._descriptor, data) :]

    def reopen(self) -> None:
        # The new one first: without it the old one is better than none.
        fresh = self._open()
        os.close(self._descriptor)
        self._descriptor = fresh

    def close(self) -> None:
        os.close(self._descriptor)

    def _open(self) -> int:
        # Clients' addresses are in it: not for everybody's eyes.
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)


class SystemLog:
    """Datagrams to the system's log. Raises LogError when there is none at the start."""

    def __init__(self, name: str, *, address: Path = SYSTEM_LOG) -> None:
        self._name = name
        self._address = address
        self._socket: socket.socket | None = None
        try:
            self._connect()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise LogError(f"no system log at {address} (logDestinations): {reason}") from None

    def write(self, level: int, line: str) -> None:
        head = f"<{DAEMON * 8 + _severity(level)}>{self._name}[{os.getpid()}]: ".encode()
        data = (head + line.encode(errors="replace"))[:DATAGRAM_LIMIT]
        try:
            self._connect().send(data)
        except OSError:
            # It was started anew, perhaps: once more, and then the line is lost.
            self.close()
            self._connect().send(data)

    def reopen(self) -> None:
        self.close()
        self._connect()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connect(self) -> socket.socket:
        if self._socket is None:
            fresh = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                fresh.settimeout(SEND_TIMEOUT)
                fresh.connect(str(self._address))
            except OSError:
                with contextlib.suppress(OSError):
                    fresh.close()
                raise
            self._socket = fresh
        return self._socket


def _severity(level: int) -> int:
    """RFC 3164 4.1.1."""
    if level >= logging.ERROR:
        return 3
    if level >= logging.WARNING:
        return 4
    return 6 if level >= logging.INFO else 7
