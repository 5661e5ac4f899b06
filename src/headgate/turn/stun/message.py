"""What a STUN message is about (RFC 8489 5). The engine reads it off the wire."""

from __future__ import annotations

import enum

from headgate.core.enumeration import plain_members
from headgate.engine import MalformedStun as Malformed
from headgate.engine import StunMessage as Message

__all__ = ["HEADER_SIZE", "MAGIC", "Malformed", "Message", "MessageClass", "Method"]

MAGIC = 0x2112A442
HEADER_SIZE = 20


@plain_members
class Method(enum.IntEnum):
    BINDING = 0x001
    ALLOCATE = 0x003
    REFRESH = 0x004
    SEND = 0x006
    DATA = 0x007
    CREATE_PERMISSION = 0x008
    CHANNEL_BIND = 0x009
    CONNECT = 0x00A
    CONNECTION_BIND = 0x00B
    CONNECTION_ATTEMPT = 0x00C


@plain_members
class MessageClass(enum.IntEnum):
    REQUEST = 0b00
    INDICATION = 0b01
    SUCCESS = 0b10
    ERROR = 0b11
