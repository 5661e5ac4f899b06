"""What the network says of datagrams that did not arrive (RFC 8656 11.5), in a network of its own.

Of loopback's MTU, which no datagram of UDP is larger than, and with packets that only root can make.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from headgate.turn.stun.address import TransportAddress, read_address
from headgate.turn.stun.attribute import Attribute
from headgate.turn.stun.message import HEADER_SIZE, Message, MessageClass, Method
from tests.journeys.gate import Gate, settings
from tests.journeys.namespace import own_network
from tests.journeys.test_turn import ports, relay
from tests.journeys.turn_client import UDP, TurnClient, error_of

MTU = 1400
PATIENCE = 10.0
BOTH = (int(Attribute.ADDITIONAL_ADDRESS_FAMILY), b"\x02\0\0\0")
HOSTS = ("127.0.0.1", "::1")
TOO_LARGE = {"127.0.0.1": (3, 4), "::1": (2, 0)}
"""ICMP's type and code, and ICMPv6's."""


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    with own_network():
        subprocess.run(["ip", "link", "set", "lo", "mtu", str(MTU)], check=True, timeout=10)
        with Gate.open(tmp_path, settings(rtsp=False, turn=relay())) as gate:
            yield gate


@contextmanager
def peer(host: str) -> Iterator[tuple[socket.socket, TransportAddress]]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as made:
        made.settimeout(PATIENCE)
        made.bind((host, 0))
        yield made, TransportAddress(host, made.getsockname()[1])


def allocate(client: TurnClient) -> list[TransportAddress]:
    """A relayed address of each family."""
    answer = client.ask(Method.ALLOCATE, UDP, BOTH)
    assert error_of(answer) is None
    return [read_address(value, answer.transaction) for value in relayed(answer)]


def relayed(answer: Message) -> Iterator[bytes]:
    """A message keeps only the first of an attribute."""
    offset = HEADER_SIZE
    while offset < len(answer.data):
        kind, size = struct.unpack_from(">HH", answer.data, offset)
        if kind == Attribute.XOR_RELAYED_ADDRESS:
            yield answer.data[offset + 4 : offset + 4 + size]
        offset += 4 + (size + 3 & ~3)


def indicate(client: TurnClient, to: TransportAddress, data: bytes, *, whole: bool) -> None:
    attributes = [(int(Attribute.DATA), data)]
    if whole:
        attributes.append((int(Attribute.DONT_FRAGMENT), b""))
    client.send(client.build(Method.SEND, *attributes, peers=(to,), message_class=MessageClass.INDICATION))


def told(client: TurnClient) -> tuple[TransportAddress, int, int, int]:
    """Of whom, type, code and error data."""
    message = Message(client.receive())
    assert (message.method, message.message_class) == (Method.DATA, MessageClass.INDICATION)
    assert Attribute.DATA not in message.attributes
    kind, code, data = struct.unpack(">xxBBI", message.attributes[Attribute.ICMP])
    return read_address(message.peers[0], message.transaction), kind, code, data


@pytest.mark.parametrize("host", HOSTS)
def test_what_must_not_be_cut_and_is_too_large(gate: Gate, host: str) -> None:
    with peer(host) as (there, address), TurnClient(ports(gate)["UDP", "127.0.0.1"]) as client:
        allocate(client)
        assert client.permit(address) is None
        for _ in range(2):
            indicate(client, address, bytes(2000), whole=False)
            assert there.recv(4096) == bytes(2000)
            indicate(client, address, bytes(2000), whole=True)
            assert told(client) == (address, *TOO_LARGE[host], MTU)
            # Nothing of it went out, and the next one does.
            indicate(client, address, bytes(1300), whole=True)
            assert there.recv(4096) == bytes(1300)


@pytest.mark.parametrize("host", HOSTS)
def test_what_routers_say(gate: Gate, host: str) -> None:
    with peer(host) as (there, address), TurnClient(ports(gate)["UDP", "127.0.0.1"]) as client:
        ours = next(one for one in allocate(client) if one.host == host)
        assert client.permit(address) is None
        indicate(client, address, b"whole", whole=True)
        assert there.recv(100) == b"whole"

        too_large, exceeded = TOO_LARGE[host], (11, 0) if host == HOSTS[0] else (3, 0)
        say(ours, address, *too_large, 1300)
        assert told(client) == (address, *too_large, 1300)
        say(ours, address, *exceeded, 77)
        assert told(client) == (address, *exceeded, 0)
        # Nothing of whom there is no permission for, of no type of the section, of no port of ours.
        stranger = TransportAddress("127.0.0.9" if host == HOSTS[0] else "::9", address.port)
        say(ours, stranger, *exceeded, 0)
        say(ours, address, 12 if host == HOSTS[0] else 4, 0, 0)
        say(ours._replace(port=1), address, *exceeded, 0)
        say(ours, address._replace(port=9), *exceeded, 0)
        assert told(client) == (address._replace(port=9), *exceeded, 0)
        # Data moves on as before.
        for n in range(100):
            say(ours, address, *exceeded, 0)
            indicate(client, address, n.to_bytes(2), whole=False)
            assert there.recvfrom(100)[0] == n.to_bytes(2)


def say(ours: TransportAddress, to: TransportAddress, kind: int, code: int, data: int) -> None:
    """As a router would, of a datagram from one of our addresses."""
    udp = struct.pack(">HHHH", ours.port, to.port, 8, 0)
    source, target = (ipaddress.ip_address(one.host).packed for one in (ours, to))
    if len(source) == 4:
        inner = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 28, 0, 0x4000, 9, 17, 0, source, target)
        message = struct.pack(">BBHI", kind, code, 0, data) + inner + udp
        message = message[:2] + checksum(message) + message[4:]
        family, protocol = socket.AF_INET, socket.IPPROTO_ICMP
    else:
        inner = struct.pack(">IHBB16s16s", 6 << 28, 8, 17, 9, source, target)
        message = struct.pack(">BBHI", kind, code, 0, data) + inner + udp  # the kernel adds the checksum
        family, protocol = socket.AF_INET6, socket.IPPROTO_ICMPV6
    with socket.socket(family, socket.SOCK_RAW, protocol) as raw:
        raw.sendto(message, (ours.host, 0))


def checksum(message: bytes) -> bytes:
    """RFC 1071."""
    total = sum(struct.unpack(f">{len(message) // 2}H", message))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return (~total & 0xFFFF).to_bytes(2)
