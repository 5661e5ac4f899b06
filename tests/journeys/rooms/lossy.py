"""A way over UDP that loses and delays datagrams as it is told: a bad network in front of a server."""

from __future__ import annotations

import heapq
import itertools
import random
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Lossy"]

TICK = 0.05  # seconds in which the end of the test, or a change, is noticed
DATAGRAM = 65_536
CLIENT_LIMIT = 64  # sockets of browsers; two of them have a handful


class Lossy:
    """Every client gets a socket of its own towards the server, so that answers find back."""

    def __init__(self, server: tuple[str, int]) -> None:
        self.loss = 0.0
        """Share of the datagrams that are lost, each way."""
        self.delay = 0.0
        """Seconds that each waits, each way."""
        self._server = server
        self._front = _socket()
        self.port: int = self._front.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._front, selectors.EVENT_READ)
        self._back: dict[tuple[str, int], socket.socket] = {}
        self._clients: dict[socket.socket, tuple[str, int]] = {}
        self._waiting: list[tuple[float, int, socket.socket, tuple[str, int], bytes]] = []
        self._order = itertools.count()
        self._chance = random.Random(5)
        self._ended = False

    @classmethod
    @contextmanager
    def open(cls, server: tuple[str, int]) -> Iterator[Lossy]:
        lossy = cls(server)
        thread = threading.Thread(target=lossy._run, name="lossy network")
        thread.start()
        try:
            yield lossy
        finally:
            lossy._ended = True
            thread.join()

    def _run(self) -> None:
        while not self._ended:
            due = self._waiting[0][0] - time.monotonic() if self._waiting else TICK
            for key, _ in self._selector.select(max(0.0, min(due, TICK))):
                assert isinstance(key.fileobj, socket.socket)
                self._take(key.fileobj)
            while self._waiting and self._waiting[0][0] <= time.monotonic():
                _, _, through, to, data = heapq.heappop(self._waiting)
                through.sendto(data, to)
        for one in (self._front, *self._clients):
            one.close()
        self._selector.close()

    def _take(self, at: socket.socket) -> None:
        try:
            data, source = at.recvfrom(DATAGRAM)
        except OSError:  # the port at the other end is closed
            return
        through, to = (
            (self._towards(source), self._server) if at is self._front else (self._front, self._clients[at])
        )
        if through is None or self._chance.random() < self.loss:
            return
        heapq.heappush(self._waiting, (time.monotonic() + self.delay, next(self._order), through, to, data))

    def _towards(self, client: tuple[str, int]) -> socket.socket | None:
        if client not in self._back and len(self._back) < CLIENT_LIMIT:
            self._back[client] = _socket()
            self._clients[self._back[client]] = client
            self._selector.register(self._back[client], selectors.EVENT_READ)
        return self._back.get(client)


def _socket() -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind(("127.0.0.1", 0))
    return one
