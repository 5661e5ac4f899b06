"""The attributes of STUN and TURN messages (IANA's registry, RFC 8489 18.3, RFC 8656 18)."""

from __future__ import annotations

import enum

from headgate.core.enumeration import plain_members

__all__ = ["OF_DISCOVERY", "Attribute"]


@plain_members
class Attribute(enum.IntEnum):
    """Types below 0x8000 must be understood by whoever gets them (RFC 8489 14)."""

    MAPPED_ADDRESS = 0x0001
    CHANGE_REQUEST = 0x0003
    USERNAME = 0x0006
    MESSAGE_INTEGRITY = 0x0008
    ERROR_CODE = 0x0009
    UNKNOWN_ATTRIBUTES = 0x000A
    CHANNEL_NUMBER = 0x000C
    LIFETIME = 0x000D
    XOR_PEER_ADDRESS = 0x0012
    DATA = 0x0013
    REALM = 0x0014
    NONCE = 0x0015
    XOR_RELAYED_ADDRESS = 0x0016
    REQUESTED_ADDRESS_FAMILY = 0x0017
    EVEN_PORT = 0x0018
    REQUESTED_TRANSPORT = 0x0019
    DONT_FRAGMENT = 0x001A
    MESSAGE_INTEGRITY_SHA256 = 0x001C
    PASSWORD_ALGORITHM = 0x001D
    USERHASH = 0x001E
    XOR_MAPPED_ADDRESS = 0x0020
    RESERVATION_TOKEN = 0x0022
    PADDING = 0x0026
    RESPONSE_PORT = 0x0027
    CONNECTION_ID = 0x002A
    ADDITIONAL_ADDRESS_FAMILY = 0x8000
    ADDRESS_ERROR_CODE = 0x8001
    PASSWORD_ALGORITHMS = 0x8002
    ICMP = 0x8004
    SOFTWARE = 0x8022
    ALTERNATE_SERVER = 0x8023
    FINGERPRINT = 0x8028
    RESPONSE_ORIGIN = 0x802B
    OTHER_ADDRESS = 0x802C
    MOBILITY_TICKET = 0x8030
    ADDITIONAL_ADDRESS_FAMILY_OF_COTURN = 0x8032
    """The draft's number, which coturn's client up to 4.6 sends for 0x8000."""


OF_DISCOVERY = frozenset({int(Attribute.CHANGE_REQUEST), int(Attribute.RESPONSE_PORT)})
"""Of RFC 5780: understood only where a second address is there to answer from."""
