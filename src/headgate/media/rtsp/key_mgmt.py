"""How RTSP carries MIKEY (RFC 4567): the `KeyMgmt` header, and `a=key-mgmt` of a description."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import replace

from headgate.engine import SrtpSuite
from headgate.media.rtsp.mikey import Message, Source

__all__ = [
    "OFFERED_SUITE",
    "Keyring",
    "key_mgmt_attribute",
    "key_mgmt_header",
    "parse_attribute",
    "parse_header",
    "secured",
]

TEXT_LIMIT = 4096
"""Characters; GStreamer's header has 250."""
DATA = re.compile(r'(?:^|;)\s*data\s*=\s*"?([A-Za-z0-9+/=]+)"?', re.IGNORECASE)
PROTOCOL = re.compile(r"(?:^|;)\s*prot\s*=\s*\"?mikey\"?\s*(?:;|$)", re.IGNORECASE)
OFFERED_SUITE = SrtpSuite.AES_CM_128_HMAC_SHA1_80
"""Of what we send to who has not shown yet what it speaks: the one that every client does."""


class Keyring:
    """Our own keys of one connection's session, by track: made when first asked for, gone with the session.

    A key must not outlive its session: the next one's packets would have the same numbers under it.
    """

    def __init__(self) -> None:
        self._keys: dict[int, Message] = {}

    def key(self, track: int, *, ssrc: int | None = None, suite: SrtpSuite = OFFERED_SUITE) -> Message:
        """`suite` matters at the first call for a track only."""
        known = self._keys.get(track)
        if known is None:
            known = Message(
                suite=suite,
                key=secrets.token_bytes(suite.key_size),
                salt=secrets.token_bytes(suite.salt_size),
            )
        if ssrc is not None:
            known = replace(known, sources=(Source(ssrc),))
        self._keys[track] = known
        return known

    def forget(self) -> None:
        self._keys.clear()


def parse_header(text: str) -> Message:
    """Read `KeyMgmt: prot=mikey;uri="…";data="…"` (RFC 4567 3.3). Raises ValueError."""
    data = DATA.search(text[:TEXT_LIMIT])
    if data is None or PROTOCOL.search(text[:TEXT_LIMIT]) is None:
        raise ValueError("a KeyMgmt header without MIKEY's data")
    return _decoded(data[1])


def parse_attribute(value: str) -> Message:
    """Read `mikey …`, the value of `a=key-mgmt` (RFC 4567 3.1). Raises ValueError."""
    protocol, _, data = value.strip().partition(" ")
    if protocol.lower() != "mikey" or len(data) > TEXT_LIMIT:
        raise ValueError("key management that is not MIKEY")
    return _decoded(data.strip())


def key_mgmt_header(message: Message, *, url: str) -> str:
    return f'prot=mikey;uri="{url}";data="{_encoded(message)}"'


def key_mgmt_attribute(message: Message) -> str:
    return f"a=key-mgmt:mikey {_encoded(message)}"


def secured(description: bytes, keys: Sequence[Message]) -> bytes:
    """Our description (`SessionDescription.for_readers`) with SRTP under these keys, one for each track."""
    head, *medias = description.split(b"\r\nm=")
    parts = [head]
    for media, key in zip(medias, keys, strict=True):
        first, _, rest = media.partition(b"\r\n")
        first = first.replace(b" RTP/AVP ", b" RTP/SAVP ", 1)
        parts.append(first + b"\r\n" + key_mgmt_attribute(key).encode() + b"\r\n" + rest)
    return b"\r\nm=".join(parts)


def _decoded(text: str) -> Message:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("MIKEY that is not Base64") from None
    return Message.parse(data)


def _encoded(message: Message) -> str:
    data = message.serialise(bundle=secrets.randbits(32), time=time.time(), random=secrets.token_bytes(16))
    return base64.b64encode(data).decode()
