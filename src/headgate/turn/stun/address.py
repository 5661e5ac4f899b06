"""Addresses inside STUN attributes (RFC 8489 14.1, 14.2)."""

from __future__ import annotations

import enum
import socket
import struct
from typing import NamedTuple

from headgate.core.enumeration import plain_members
from headgate.turn.stun.message import MAGIC, Malformed

__all__ = ["Family", "TransportAddress", "family_of", "plain_address", "read_address", "xor_address"]

PORT_XOR = MAGIC >> 16
V4 = struct.Struct(">xBHI")
COOKIE = MAGIC.to_bytes(4)


@plain_members
class Family(enum.IntEnum):
    """As they are numbered in addresses and in REQUESTED-ADDRESS-FAMILY."""

    IPV4 = 0x01
    IPV6 = 0x02


class TransportAddress(NamedTuple):
    """Of a peer, a client or a relay. `host` is an IP literal in its shortest form."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def family_of(host: str) -> Family:
    return Family.IPV6 if ":" in host else Family.IPV4


def xor_address(host: str, port: int, transaction: bytes) -> bytes:
    """The value of an XOR-…-ADDRESS attribute. Raises OSError where the host is no IP literal."""
    if ":" in host:
        mask = int.from_bytes(COOKIE + transaction)
        value = int.from_bytes(socket.inet_pton(socket.AF_INET6, host)) ^ mask
        return struct.pack(">xBH", Family.IPV6, port ^ PORT_XOR) + value.to_bytes(16)
    return V4.pack(1, port ^ PORT_XOR, int.from_bytes(socket.inet_aton(host)) ^ MAGIC)


def plain_address(host: str, port: int) -> bytes:
    """The same without XOR: ALTERNATE-SERVER, RESPONSE-ORIGIN, OTHER-ADDRESS."""
    if ":" in host:
        return struct.pack(">xBH", Family.IPV6, port) + socket.inet_pton(socket.AF_INET6, host)
    return struct.pack(">xBH", Family.IPV4, port) + socket.inet_aton(host)


def read_address(value: bytes, transaction: bytes) -> TransportAddress:
    """An XOR-…-ADDRESS. Raises Malformed."""
    size = len(value)
    family = value[1] if size > 1 else 0
    if family == Family.IPV4 and size == 8:
        _, port, number = V4.unpack(value)
        host = socket.inet_ntoa((number ^ MAGIC).to_bytes(4))
    elif family == Family.IPV6 and size == 20:
        mask = int.from_bytes(COOKIE + transaction)
        port = int.from_bytes(value[2:4])
        host = socket.inet_ntop(socket.AF_INET6, (int.from_bytes(value[4:]) ^ mask).to_bytes(16))
    else:
        raise Malformed("an address has a family that does not go with its length")
    return TransportAddress(host, port ^ PORT_XOR)
