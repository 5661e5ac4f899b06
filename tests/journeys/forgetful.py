"""A proxy between an RTSP client and a server that does not say its UDP ports, as some cameras do not."""

from __future__ import annotations

import re
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["forgetful"]

SERVER_PORTS = re.compile(rb";server_port=\d+-\d+")


@contextmanager
def forgetful(port: int) -> Iterator[int]:
    """The port at which the server on that one has no `server_port` in its answers."""

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", port)) as there:
                asking = threading.Thread(target=_pass_on, args=(self.request, there))
                asking.start()
                _pass_on(there, self.request)
                asking.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay) as proxy:
        serving = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        try:
            yield proxy.server_address[1]
        finally:
            proxy.shutdown()
            serving.join()


def _pass_on(source: socket.socket, to: socket.socket) -> None:
    """Until either end closes. An answer of a few hundred bytes comes whole over the loopback interface."""
    with suppress(OSError):
        while data := source.recv(65536):
            to.sendall(SERVER_PORTS.sub(b"", data))
    for each in (source, to):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
