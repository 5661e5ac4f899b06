"""An RTSP client that does as it is told, right or wrong, over one TCP connection."""

from __future__ import annotations

import re
import socket
import ssl
from dataclasses import dataclass
from types import TracebackType
from typing import Self

__all__ = ["PATIENCE", "Client", "Frame", "Reply"]

PATIENCE = 10.0  # seconds; only a failing test waits so long


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Frame:
    """An interleaved packet (RFC 2326 10.12)."""

    channel: int
    packet: bytes

    @property
    def sequence(self) -> int:
        """The RTP sequence number."""
        return int.from_bytes(self.packet[2:4])


class Client:
    """`receive_buffer` is the kernel's, in bytes: small for a client that is to be slow.

    `tls`: over TLS, with whatever certificate.
    """

    def __init__(
        self, port: int, *, receive_buffer: int | None = None, tls: bool = False, source: str = ""
    ) -> None:
        """`source`: the address to come from."""
        self.socket = socket.socket()
        if source:
            self.socket.bind((source, 0))
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(("127.0.0.1", port))
        if tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket)
        self._stream = self.socket.makefile("rb")
        self._base = f"rtsp://127.0.0.1:{port}/"
        self._sequence = 0
        self.session = ""
        """The Session header sent, once the server gave one."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()
        self.socket.close()

    @property
    def address(self) -> str:
        """This end, as the server's APIs print it."""
        host, port = self.socket.getsockname()
        return f"{host}:{port}"

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def request(
        self, method: str, path: str = "", *, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Reply:
        """Send one request and take its reply, passing over packets that come before it."""
        self._sequence += 1
        fields = {"CSeq": f"{self._sequence}", **({"Session": self.session} if self.session else {})}
        if body:
            fields |= {"Content-Type": "application/sdp", "Content-Length": f"{len(body)}"}
        fields |= headers or {}
        lines = [f"{method} {self._base}{path} RTSP/1.0", *(f"{k}: {v}" for k, v in fields.items()), "", ""]
        self.send("\r\n".join(lines).encode() + body)
        return self.reply()

    def reply(self) -> Reply:
        while isinstance(message := self.read(), Frame):
            continue
        if session := message.headers.get("session"):
            self.session = session.partition(";")[0]
        return message

    def read(self) -> Frame | Reply:
        """The next packet or reply. Raises EOFError when the server closed. TimeoutError: it is silent."""
        if (first := self._exactly(1)) == b"$":
            channel, high, low = self._exactly(3)
            return Frame(channel, self._exactly(high << 8 | low))
        lines = [first + self._stream.readline()]
        while (line := self._stream.readline()) not in (b"\r\n", b""):
            lines.append(line)
        found = re.match(rb"RTSP/1\.0 (\d{3}) ", lines[0])
        assert found, lines[0]
        pairs = (line.decode().partition(":") for line in lines[1:])
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        return Reply(int(found[1]), headers, self._exactly(int(headers.get("content-length", "0"))))

    def closed_by_server(self, *, timeout: float = PATIENCE) -> bool:
        """Whether the server closes the connection in time, whatever it still sends before."""
        self.socket.settimeout(timeout)
        try:
            while self._stream.read(4096):
                pass
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False
        return True

    def play(self, path: str) -> None:
        """Read the first track of a path, interleaved on channels 0 and 1."""
        description = self.request("DESCRIBE", path, headers={"Accept": "application/sdp"})
        assert description.status == 200, description
        control = re.findall(rb"m=.*?a=control:(\S+)", description.body, re.DOTALL)[0].decode()
        track = control if control.startswith("rtsp://") else f"{path}/{control}"
        reply = self.request(
            "SETUP",
            track.removeprefix(self._base),
            headers={"Transport": "RTP/AVP/TCP;unicast;interleaved=0-1"},
        )
        assert reply.status == 200, reply
        assert (reply := self.request("PLAY", path)).status == 200, reply

    def record(self, path: str, *, sdp: bytes) -> None:
        """Publish one track on a path, interleaved on channels 0 and 1."""
        assert (reply := self.request("ANNOUNCE", path, body=sdp)).status == 200, reply
        control = re.findall(rb"a=control:(\S+)", sdp)[0].decode()
        transport = {"Transport": "RTP/AVP/TCP;unicast;interleaved=0-1;mode=record"}
        assert (reply := self.request("SETUP", f"{path}/{control}", headers=transport)).status == 200, reply
        assert (reply := self.request("RECORD", path)).status == 200, reply

    def _exactly(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) < size:
            raise EOFError("the server closed the connection")
        return data
