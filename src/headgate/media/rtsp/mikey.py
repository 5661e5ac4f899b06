"""MIKEY (RFC 3830), as far as RTSP uses it: one message that says the SRTP master key of a track.

The connection that carries it is encrypted, so the message is not: its key data stand in the open (the
null algorithms of RFC 3830 4.2.3), as with every client that is known. Sans-IO: bytes in, bytes out.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from headgate.engine import SrtpKey, SrtpSuite

__all__ = ["Message", "MikeyError", "Source"]

SIZE_LIMIT = 1024
"""Bytes of a message; GStreamer's has 113."""
SOURCE_LIMIT = 8
"""What the engine follows on one track."""
PAYLOAD_LIMIT = 16
MKI_SIZE_LIMIT = 16
VERSION = 1
UNIX_TO_NTP = 2_208_988_800
"""Seconds from 1900 to 1970 (RFC 5905 6)."""
RANDOM_SIZE = 16
"""RFC 3830 6.11: at least so many bytes."""


class MikeyError(ValueError):
    """A message that is malformed, or asks for what is not spoken here."""


class Payload(enum.IntEnum):
    """RFC 3830 6.1 table 6.1.b, those that are read."""

    LAST = 0
    KEMAC = 1
    TIMESTAMP = 5
    SECURITY_POLICY = 10
    RANDOM = 11


class KeyKind(enum.IntEnum):
    """RFC 3830 6.13."""

    TEK = 2
    TEK_AND_SALT = 3


class Parameter(enum.IntEnum):
    """RFC 3830 6.10.1, RFC 7714 14.2's AEAD tag length."""

    ENCRYPTION = 0
    ENCRYPTION_KEY_SIZE = 1
    AUTHENTICATION = 2
    AUTHENTICATION_KEY_SIZE = 3
    SALT_SIZE = 4
    PSEUDORANDOM_FUNCTION = 5
    DERIVATION_RATE = 6
    RTP_ENCRYPTED = 7
    RTCP_ENCRYPTED = 8
    FORWARD_ERROR_CORRECTION = 9
    AUTHENTICATED = 10
    TAG_SIZE = 11
    AEAD_TAG_SIZE = 20


AES_CM, AES_GCM = 1, 6
HMAC_SHA1 = 1
TIMESTAMP_SIZES = {0: 8, 1: 8, 2: 4}
"""By type: NTP in UTC, NTP, a counter."""
# The policies of each suite: what is written for it, in this order.
AES_CM_POLICY = {
    Parameter.AUTHENTICATION: HMAC_SHA1,
    Parameter.AUTHENTICATION_KEY_SIZE: 20,
    Parameter.RTP_ENCRYPTED: 1,
    Parameter.RTCP_ENCRYPTED: 1,
    Parameter.AUTHENTICATED: 1,
    Parameter.TAG_SIZE: 10,
}
AES_GCM_POLICY = {
    Parameter.AUTHENTICATION: 0,
    Parameter.RTP_ENCRYPTED: 1,
    Parameter.RTCP_ENCRYPTED: 1,
    Parameter.AUTHENTICATED: 0,
    Parameter.AEAD_TAG_SIZE: 16,
}


@dataclass(frozen=True, slots=True)
class Source:
    ssrc: int
    """0 where the sender does not know it yet."""
    rollovers: int = 0
    """How often its sequence number has wrapped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What one side sends a track with."""

    suite: SrtpSuite
    key: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    mki: bytes = b""
    """Master key identifier that its packets carry."""
    sources: tuple[Source, ...] = ()

    @property
    def srtp_key(self) -> SrtpKey:
        return SrtpKey(
            suite=self.suite,
            key=self.key,
            salt=self.salt,
            mki=self.mki,
            rollovers=tuple((one.ssrc, one.rollovers) for one in self.sources),
        )

    @classmethod
    def parse(cls, data: bytes) -> Message:
        """Read a message with a pre-shared key (RFC 3830 3.1). Raises MikeyError, whatever the bytes."""
        if len(data) > SIZE_LIMIT:
            raise MikeyError(f"a message of {len(data)} bytes")
        reader = _Reader(data)
        kind, sources = _header(reader)
        parameters: dict[int, int] = {}
        secret: _Secret | None = None
        for _ in range(PAYLOAD_LIMIT):
            match kind:
                case Payload.LAST:
                    break
                case Payload.TIMESTAMP:
                    kind = reader.byte()
                    size = TIMESTAMP_SIZES.get(reader.byte())
                    if size is None:
                        raise MikeyError("a timestamp of an unknown type")
                    reader.take(size)
                case Payload.RANDOM:
                    kind = reader.byte()
                    reader.take(reader.byte())
                case Payload.SECURITY_POLICY:
                    kind = reader.byte()
                    _number, protocol = reader.take(2)
                    content = reader.take(reader.short())
                    if protocol == 0 and not parameters:  # of several, the first is what GStreamer means
                        parameters = dict(_parameters(content))
                case Payload.KEMAC:
                    kind = reader.byte()
                    if reader.byte() != 0:
                        raise MikeyError("its key is encrypted")
                    secret = _Secret.parse(reader.take(reader.short()))
                    if reader.byte() != 0:
                        raise MikeyError("it has a signature nobody can verify here")
                case _:
                    raise MikeyError(f"payload {kind} is not known")
        else:
            raise MikeyError(f"more than {PAYLOAD_LIMIT} payloads")
        if secret is None:
            raise MikeyError("it has no key")
        suite = _suite(parameters)
        key, salt = secret.split(suite)
        return cls(suite=suite, key=key, salt=salt, mki=secret.mki, sources=sources)

    def serialise(self, *, bundle: int, time: float, random: bytes) -> bytes:
        """`bundle`: a random number of 32 bits; `time`: Unix seconds; `random`: 16 bytes."""
        sources = self.sources or (Source(0),)
        head = struct.pack("!BBBBIBB", VERSION, 0, Payload.TIMESTAMP, 0, bundle, len(sources), 0)
        for source in sources:
            head += struct.pack("!BII", 0, source.ssrc, source.rollovers)
        seconds = int(time)
        stamp = struct.pack(
            "!BBII", Payload.RANDOM, 0, (seconds + UNIX_TO_NTP) % 2**32, int((time - seconds) * 2**32)
        )
        nonce = bytes((Payload.SECURITY_POLICY, len(random))) + random
        content = b"".join(bytes((kind, 1, value)) for kind, value in _policy(self.suite).items())
        policy = struct.pack("!BBBH", Payload.KEMAC, 0, 0, len(content)) + content
        keys = self.key + self.salt
        identified = 1 if self.mki else 0
        # Key and salt together as one TEK: what GStreamer and MediaMTX write, and read.
        secret = struct.pack("!BBH", 0, KeyKind.TEK << 4 | identified, len(keys)) + keys
        if self.mki:
            secret += bytes((len(self.mki),)) + self.mki
        kemac = struct.pack("!BBH", Payload.LAST, 0, len(secret)) + secret + b"\0"
        return head + stamp + nonce + policy + kemac


@dataclass(frozen=True, slots=True)
class _Secret:
    """The first key data of a KEMAC payload (RFC 3830 6.13)."""

    key: bytes = field(repr=False)
    salt: bytes | None = field(repr=False)
    """None: behind the key, in one piece."""
    mki: bytes

    @classmethod
    def parse(cls, data: bytes) -> _Secret:
        reader = _Reader(data)
        reader.byte()  # more keys may follow; the first counts
        kinds = reader.byte()
        try:
            kind = KeyKind(kinds >> 4)
        except ValueError:
            raise MikeyError("its key is one to derive others from") from None
        key = reader.take(reader.short())
        salt = reader.take(reader.short()) if kind is KeyKind.TEK_AND_SALT else None
        match kinds & 0x0F:
            case 0:
                mki = b""
            case 1:
                mki = reader.take(reader.byte())
            case _:
                raise MikeyError("its key is valid for a part of the packets only")
        if len(mki) > MKI_SIZE_LIMIT:
            raise MikeyError(f"a key identifier of {len(mki)} bytes")
        return cls(key, salt, mki)

    def split(self, suite: SrtpSuite) -> tuple[bytes, bytes]:
        key, salt = self.key, self.salt
        if salt is None:
            key, salt = key[: suite.key_size], key[suite.key_size :]
        if (len(key), len(salt)) != (suite.key_size, suite.salt_size):
            raise MikeyError(f"{suite.name} has no key of {len(key)} and salt of {len(salt)} bytes")
        return key, salt


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        if len(taken) != size:
            raise MikeyError("it is cut short")
        self._at += size
        return taken

    def byte(self) -> int:
        return self.take(1)[0]

    def short(self) -> int:
        return int.from_bytes(self.take(2))

    @property
    def left(self) -> bool:
        return self._at < len(self._data)


def _header(reader: _Reader) -> tuple[int, tuple[Source, ...]]:
    """RFC 3830 6.1: the kind of the first payload, and the sources."""
    version, kind, following, _flags = reader.take(4)
    if version != VERSION:
        raise MikeyError(f"version {version}")
    if kind != 0:
        raise MikeyError(f"a message of type {kind}, not of a pre-shared key")
    reader.take(4)  # the bundle's number
    count, map_kind = reader.take(2)
    if map_kind != 0:
        raise MikeyError("its sessions are not SRTP")
    if count > SOURCE_LIMIT:
        raise MikeyError(f"{count} sources")
    sources = []
    for _ in range(count):
        _policy_number, ssrc, rollovers = struct.unpack("!BII", reader.take(9))
        sources.append(Source(ssrc, rollovers))
    return following, tuple(sources)


def _parameters(content: bytes) -> Iterator[tuple[int, int]]:
    """RFC 3830 6.10: kind, length, value."""
    reader = _Reader(content)
    while reader.left:
        kind = reader.byte()
        yield kind, int.from_bytes(reader.take(reader.byte()))


def _suite(parameters: dict[int, int]) -> SrtpSuite:
    """What a policy asks for. Raises MikeyError where that is weaker than ours, or unknown."""
    algorithm = parameters.get(Parameter.ENCRYPTION, AES_CM)
    size = parameters.get(Parameter.ENCRYPTION_KEY_SIZE, 16)
    match algorithm, size:
        case 1, 16:
            suite = SrtpSuite.AES_CM_128_HMAC_SHA1_80
        case 1, 32:
            suite = SrtpSuite.AES_CM_256_HMAC_SHA1_80
        case 6, 16:
            suite = SrtpSuite.AEAD_AES_128_GCM
        case 6, 32:
            suite = SrtpSuite.AEAD_AES_256_GCM
        case _:
            raise MikeyError(f"encryption {algorithm} with keys of {size} bytes")
    aead = algorithm == AES_GCM
    expected: dict[Parameter, set[int]] = {
        # GStreamer writes the size of the tag where that of the key belongs.
        Parameter.AUTHENTICATION_KEY_SIZE: {0, 10, 20} if aead else {10, 20},
        Parameter.AUTHENTICATION: {0, HMAC_SHA1} if aead else {HMAC_SHA1},
        Parameter.SALT_SIZE: {suite.salt_size},
        Parameter.PSEUDORANDOM_FUNCTION: {0},
        Parameter.DERIVATION_RATE: {0},
        Parameter.RTP_ENCRYPTED: {1},
        Parameter.RTCP_ENCRYPTED: {1},
        Parameter.AUTHENTICATED: {0, 1} if aead else {1},
        Parameter.TAG_SIZE: {0, 10, 16} if aead else {10},
        Parameter.AEAD_TAG_SIZE: {16},
    }
    for parameter, allowed in expected.items():
        if parameters.get(parameter, min(allowed)) not in allowed:
            raise MikeyError(f"{parameter.name.lower()} {parameters[parameter]}")
    return suite


def _policy(suite: SrtpSuite) -> dict[Parameter, int]:
    aead = suite in {SrtpSuite.AEAD_AES_128_GCM, SrtpSuite.AEAD_AES_256_GCM}
    return {
        Parameter.ENCRYPTION: AES_GCM if aead else AES_CM,
        Parameter.ENCRYPTION_KEY_SIZE: suite.key_size,
        **(AES_GCM_POLICY if aead else AES_CM_POLICY),
    }
