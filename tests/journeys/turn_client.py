"""A TURN client that does as it is told, right or wrong, over one socket."""

from __future__ import annotations

import os
import socket
import ssl
import struct
import subprocess
import zlib
from types import TracebackType
from typing import Self

from headgate.turn.stun.address import TransportAddress, read_address, xor_address
from headgate.turn.stun.answer import Answer
from headgate.turn.stun.attribute import Attribute
from headgate.turn.stun.integrity import PasswordAlgorithm, long_term_key
from headgate.turn.stun.message import HEADER_SIZE, Message, MessageClass, Method
from tests.journeys.program import require
from tests.journeys.turnutils import PASSWORD, USER

__all__ = ["TCP", "UDP", "TurnClient", "appended", "error_of"]

FINGERPRINT_XOR = 0x5354554E  # RFC 8489 14.7
UDP = (int(Attribute.REQUESTED_TRANSPORT), b"\x11\0\0\0")
TCP = (int(Attribute.REQUESTED_TRANSPORT), b"\x06\0\0\0")
PATIENCE = 10.0  # seconds; only a failing test waits so long


class TurnClient:
    """`source`: the address to come from. `transport`: as the configuration names it."""

    def __init__(
        self,
        port: int,
        *,
        transport: str = "udp",
        source: str = "127.0.0.1",
        name: str = USER,
        password: str = PASSWORD,
    ) -> None:
        self.is_stream = transport in {"tcp", "tls"}
        self._openssl: subprocess.Popen[bytes] | None = None
        if transport == "dtls":
            self.socket = self._over_dtls(port)
        else:
            self.socket = socket.socket(type=socket.SOCK_STREAM if self.is_stream else socket.SOCK_DGRAM)
            self.socket.bind((source, 0))
            self.socket.connect(("127.0.0.1", port))
        self.socket.settimeout(PATIENCE)
        if self.is_stream:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if transport == "tls":
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket)
        self.name, self._password = name, password
        self.nonce = self._realm = self.key = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()
        if self._openssl is not None:
            self._openssl.kill()
            self._openssl.wait()

    def _over_dtls(self, port: int) -> socket.socket:
        """The end of a pair of which openssl has the other: what is sent as one is one record, and back."""
        require("openssl")
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            self._openssl = subprocess.Popen(
                ["openssl", "s_client", "-dtls1_2", "-quiet", "-connect", f"127.0.0.1:{port}"],
                stdin=its,
                stdout=its,
                stderr=subprocess.DEVNULL,
            )
        return ours

    # Messages

    def build(
        self,
        method: Method,
        *attributes: tuple[int, bytes],
        peers: tuple[TransportAddress, ...] = (),
        message_class: MessageClass = MessageClass.REQUEST,
    ) -> bytes:
        """With credentials, as far as a nonce is known."""
        transaction = os.urandom(12)
        message = Answer(method, message_class, transaction)
        for kind, value in attributes:
            message.add(kind, value)
        for peer in peers:
            message.add(Attribute.XOR_PEER_ADDRESS, xor_address(peer.host, peer.port, transaction))
        if message_class is MessageClass.INDICATION or not self.nonce:
            return message.finish()
        message.add(Attribute.USERNAME, self.name.encode())
        message.add(Attribute.REALM, self._realm).add(Attribute.NONCE, self.nonce)
        return message.finish(key=self.key)

    def ask(
        self, method: Method, *attributes: tuple[int, bytes], peers: tuple[TransportAddress, ...] = ()
    ) -> Message:
        """The answer, the second one where the first is a challenge."""
        answer = self.exchange(self.build(method, *attributes, peers=peers))
        if error_of(answer) in (401, 438):
            self.nonce = answer.attributes[Attribute.NONCE]
            self._realm = answer.attributes[Attribute.REALM]
            self.key = long_term_key(
                user=self.name,
                realm=self._realm.decode(),
                password=self._password,
                algorithm=PasswordAlgorithm.MD5,
            )
            answer = self.exchange(self.build(method, *attributes, peers=peers))
        return answer

    def exchange(self, data: bytes) -> Message:
        """The answer to this very message; relayed data that comes before it is passed over."""
        self.send(data)
        while True:
            answer = self.receive()
            if answer[8:20] == data[8:20]:
                return Message(answer)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self) -> bytes:
        if not self.is_stream:
            return self.socket.recv(65_536)
        head = self._exactly(4)
        size = int.from_bytes(head[2:])
        if head[0] >> 6 == 0:
            return head + self._exactly(size + HEADER_SIZE - 4)
        return head + self._exactly((size + 3) & ~3)[:size]

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise EOFError("the server closed the connection")
            data += more
        return data

    # Requests

    def allocate(self, *attributes: tuple[int, bytes]) -> TransportAddress:
        """Its relayed address."""
        answer = self.ask(Method.ALLOCATE, UDP, *attributes)
        assert error_of(answer) is None, error_of(answer)
        return read_address(answer.attributes[Attribute.XOR_RELAYED_ADDRESS], answer.transaction)

    def permit(self, *peers: TransportAddress) -> int | None:
        """What was wrong, or None."""
        return error_of(self.ask(Method.CREATE_PERMISSION, peers=peers))

    def bind(self, number: int, peer: TransportAddress) -> int | None:
        channel = (int(Attribute.CHANNEL_NUMBER), struct.pack(">HH", number, 0))
        return error_of(self.ask(Method.CHANNEL_BIND, channel, peers=(peer,)))

    def connect(self, peer: TransportAddress) -> int | None:
        """RFC 6062, of a TCP allocation: what was wrong, or None."""
        return error_of(self.ask(Method.CONNECT, peers=(peer,)))

    def refresh(self, lifetime: int) -> Message:
        return self.ask(Method.REFRESH, (int(Attribute.LIFETIME), lifetime.to_bytes(4)))

    # Data

    def indicate(self, peer: TransportAddress, data: bytes) -> None:
        """A Send indication."""
        value = (int(Attribute.DATA), data)
        self.send(self.build(Method.SEND, value, peers=(peer,), message_class=MessageClass.INDICATION))

    def channel(self, number: int, data: bytes) -> None:
        message = struct.pack(">HH", number, len(data)) + data
        self.send(message + bytes(-len(message) % 4 if self.is_stream else 0))


def appended(message: bytes, *attributes: tuple[int, bytes]) -> bytes:
    """The same with attributes behind its integrity, and a FINGERPRINT that holds."""
    for kind, value in attributes:
        message += struct.pack(">HH", kind, len(value)) + value + bytes(-len(value) % 4)
    message = message[:2] + (len(message) - HEADER_SIZE + 8).to_bytes(2) + message[4:]
    return message + struct.pack(">HHI", 0x8028, 4, zlib.crc32(message) ^ FINGERPRINT_XOR)


def error_of(message: Message) -> int | None:
    value = message.attributes.get(Attribute.ERROR_CODE)
    return None if value is None else value[2] * 100 + value[3]
