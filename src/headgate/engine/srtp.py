"""The keys of SRTP."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["Srtp", "SrtpKey", "SrtpSuite"]


class SrtpSuite(enum.IntEnum):
    """How SRTP packets are encrypted and authenticated. The twin is `Suite` in crates/engine/src/srtp.rs."""

    AES_CM_128_HMAC_SHA1_80 = 1
    AES_CM_256_HMAC_SHA1_80 = 2
    AEAD_AES_128_GCM = 3
    AEAD_AES_256_GCM = 4

    @property
    def key_size(self) -> int:
        """Bytes."""
        return 16 if self in {SrtpSuite.AES_CM_128_HMAC_SHA1_80, SrtpSuite.AEAD_AES_128_GCM} else 32

    @property
    def salt_size(self) -> int:
        return 12 if self in {SrtpSuite.AEAD_AES_128_GCM, SrtpSuite.AEAD_AES_256_GCM} else 14


@dataclass(frozen=True, slots=True, kw_only=True)
class SrtpKey:
    """A master key of one direction (RFC 3711 3.2.1). One that has sent packets is good for no other flow."""

    suite: SrtpSuite
    key: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    mki: bytes = b""
    """What every packet that comes under it carries, 16 bytes at most. Of no effect on what is sent."""
    rollovers: Sequence[tuple[int, int]] = ()
    """(SSRC, how often its sequence number has wrapped), of packets that come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Srtp:
    """Encryption of one track, RTCP included."""

    send: SrtpKey
    receive: SrtpKey
