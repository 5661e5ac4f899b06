"""The client that does as it is told, inside of a WebSocket whose frames are another library's."""

from __future__ import annotations

import contextlib
import socket

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.journeys.client import PATIENCE, Client

__all__ = ["WebSocketClient"]

SUBPROTOCOL = Subprotocol("rtsp.onvif.org")


class _Plain:
    """What is inside of the messages, as a file."""

    def __init__(self, websocket: ClientConnection, stack: contextlib.ExitStack) -> None:
        self._websocket = websocket
        self._stack = stack
        self._bytes = bytearray()

    def read(self, size: int) -> bytes:
        while len(self._bytes) < size and self._more():
            continue
        return self._take(size)

    def readline(self) -> bytes:
        while b"\n" not in self._bytes and self._more():
            continue
        return self._take(self._bytes.find(b"\n") + 1 or len(self._bytes))

    def close(self) -> None:
        self._stack.close()

    def _more(self) -> bool:
        with contextlib.suppress(ConnectionClosed):
            message = self._websocket.recv(timeout=PATIENCE)
            assert isinstance(message, bytes)
            self._bytes += message
            return True
        return False

    def _take(self, size: int) -> bytes:
        taken, self._bytes = bytes(self._bytes[:size]), self._bytes[size:]
        return taken


class WebSocketClient(Client):
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._stack = contextlib.ExitStack()
        self.websocket = self._stack.enter_context(
            connect(f"ws://127.0.0.1:{port}/", sock=self.socket, subprotocols=[SUBPROTOCOL], max_size=None)
        )
        self._stream = _Plain(self.websocket, self._stack)
        self._base = f"rtsp://127.0.0.1:{port}/"
        self._sequence = 0
        self.session = ""

    def closed_by_server(self, *, timeout: float = PATIENCE) -> bool:
        """Whether it said goodbye."""
        while self._stream.read(4096):
            pass
        return True

    def send(self, data: bytes) -> None:
        self.websocket.send(data)
