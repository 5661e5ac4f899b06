"""The server's event stream, kept in order, so that a test waits for what it wants to see."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["Events"]

PATIENCE = 20.0  # seconds; only a failing test waits so long


class Events:
    """A subscriber of `/events`, from the server's first event on."""

    def __init__(self, operator: str) -> None:
        self._seen: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self._ended = False
        address = urllib.parse.urlsplit(operator)
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port)
        self._connection.request("GET", "/events", headers={"Last-Event-ID": "0"})
        # `Connection: close` would take the socket from the connection object; keep our own hold of it.
        self._socket = self._connection.sock
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200, self._answer.status
        self._thread = threading.Thread(target=self._read, name="events", daemon=True)
        self._thread.start()

    def wait(self, type: str, *, timeout: float = PATIENCE, **fields: object) -> dict[str, Any]:
        """The first event, past or future, of a type and with the given fields."""

        def match() -> dict[str, Any] | None:
            return next(self.matching(type, **fields), None)

        with self._changed:
            self._changed.wait_for(lambda: match() or self._ended, timeout)
            found = match()
        assert found is not None, f"no {type} event with {fields} within {timeout} s; seen: {self._tail()}"
        return found

    def wait_until(
        self, wanted: Callable[[dict[str, Any]], bool], *, timeout: float = PATIENCE
    ) -> dict[str, Any]:
        """The first event, past or future, that is wanted."""

        def match() -> dict[str, Any] | None:
            return next(filter(wanted, list(self._seen)), None)

        with self._changed:
            self._changed.wait_for(lambda: match() or self._ended, timeout)
            found = match()
        assert found is not None, f"no such event within {timeout} s; seen: {self._tail()}"
        return found

    def matching(self, type: str, **fields: object) -> Iterator[dict[str, Any]]:
        """The events so far of a type and with the given fields."""
        for event in list(self._seen):
            if event["type"] == type and all(event.get(name) == value for name, value in fields.items()):
                yield event

    def publishes(self, path: str) -> dict[str, Any]:
        """Wait until a path is on the air; its publisher's ids in each dialect's form."""
        self.wait("path.ready", path=path)
        return self._taking("publish", path)

    def reads(self, path: str) -> dict[str, Any]:
        """Wait until somebody reads a path; the first reader's ids in each dialect's form."""
        return self._taking("read", path)

    def closes(self, session: dict[str, Any], *, timeout: float = PATIENCE) -> dict[str, Any]:
        """Wait until a session ends; the event."""
        return self.wait("session.closed", session=session, timeout=timeout)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._answer.close()
        self._connection.close()
        self._socket.close()

    def _taking(self, role: str, path: str) -> dict[str, Any]:
        session: dict[str, Any] = self.wait("session.changed", role=role, target=path)["session"]
        return session

    def _tail(self) -> list[dict[str, Any]]:
        return self._seen[-12:]

    def _read(self) -> None:
        try:
            for line in self._answer:
                if line.startswith(b"data:"):
                    event = json.loads(line.removeprefix(b"data:"))
                    with self._changed:
                        self._seen.append(event)
                        self._changed.notify_all()
        except (OSError, ValueError, http.client.HTTPException):
            pass  # the stream was closed, by us or with the server
        with self._changed:
            self._ended = True
            self._changed.notify_all()
