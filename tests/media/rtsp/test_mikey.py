"""MIKEY: what others write is read, what is written is read back, and no bytes do harm."""

from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headgate.engine import SrtpSuite
from headgate.media.rtsp.mikey import Message, MikeyError, Source

# As captured on the wire: rtspsrc's and rtspclientsink's KeyMgmt, and what MediaMTX answers.
GSTREAMER_READER = base64.b64decode(
    "AQAFADc8fcsBAAB+Nv+AAAAAAAsA7qwVyiglruYKEKDr3ogs58tDNbhex+k1B0UBAAAAFQABAQEBEAIBAQMBCgcBAQgBAQoBAQAAACIAIAAe"
    "wrRBUeHH7P5UNbCoMAk7bpE80qGra/1CVrW3c5KpAA=="
)
GSTREAMER_PUBLISHER = base64.b64decode(
    "AQAFAAxh4XECAABAA2dqAAAAAACm0ZV+AAAAAAsA7qwVy5CvovAKEK1kdTDFgNTyljK/yb4ZaiwBAAAAFQABAQEBEAIBAQMBCgcBAQgBAQoB"
    "AQAAACIAIAAeFqx8MVaho2uvYlZQvf1Gd2LCddZWr9VXMkWXO/swAA=="
)
MEDIAMTX = base64.b64decode(
    "AQAFAHGpHQkBAAC0WlZ6AAAAAAsA7qwVzJGHxMoKEESSRFG1B2h7JhOJYF/NcRsBAAAAGAABAQEBEAIBAQMBFAcBAQgBAQoBAQsBCgAAACIA"
    "IAAevgXkpp3N6tZyrItR4/Rt1R/x9ZHDQLWZz1jabvHpAA=="
)


def message(suite: SrtpSuite, **changes: object) -> Message:
    fields: dict[str, object] = {
        "suite": suite,
        "key": bytes(range(suite.key_size)),
        "salt": bytes(range(100, 100 + suite.salt_size)),
        "sources": (Source(0x12345678),),
    }
    return Message(**{**fields, **changes})  # type: ignore[arg-type]  # each is of its field's type


def written(one: Message) -> bytes:
    return one.serialise(bundle=7, time=1_700_000_000.5, random=b"r" * 16)


@pytest.mark.parametrize(
    ("data", "key", "sources"),
    [
        (GSTREAMER_READER, "c2b44151e1c7ecfe5435b0a830093b6e", (Source(0x7E36FF80),)),
        (GSTREAMER_PUBLISHER, "16ac7c3156a1a36baf625650bdfd4677", (Source(0x4003676A), Source(0xA6D1957E))),
        (MEDIAMTX, "be05e4a69dcdead672ac8b51e3f46dd5", (Source(0xB45A567A),)),
    ],
)
def test_what_others_write(data: bytes, key: str, sources: tuple[Source, ...]) -> None:
    read = Message.parse(data)
    assert read.suite is SrtpSuite.AES_CM_128_HMAC_SHA1_80
    assert (read.key.hex(), len(read.salt), read.mki) == (key, 14, b"")
    assert read.sources == sources
    assert key not in repr(read)
    assert repr(read.key) not in repr(read)


@pytest.mark.parametrize("suite", SrtpSuite)
@pytest.mark.parametrize("changes", [{}, {"mki": b"\1\2\3\4"}, {"sources": (Source(1, 5), Source(2, 6))}])
def test_what_is_written_is_read_back(suite: SrtpSuite, changes: dict[str, object]) -> None:
    one = message(suite, **changes)
    assert Message.parse(written(one)) == one
    given_to_the_engine = one.srtp_key
    assert given_to_the_engine.suite is suite
    assert given_to_the_engine.rollovers == tuple((each.ssrc, each.rollovers) for each in one.sources)


def test_a_source_that_is_not_known_yet_is_0() -> None:
    one = message(SrtpSuite.AES_CM_128_HMAC_SHA1_80, sources=())
    assert Message.parse(written(one)).sources == (Source(0),)


def test_a_salt_of_its_own() -> None:
    """As live555 writes it: RFC 3830 6.13's type 3, with an identifier behind."""
    secret = b"\0\x31" + b"\0\x10" + bytes(16) + b"\0\x0e" + bytes(range(14)) + b"\4abcd"
    head = written(message(SrtpSuite.AES_CM_128_HMAC_SHA1_80))
    data = head[: head.index(b"\0\0\0\x22")] + b"\0\0" + len(secret).to_bytes(2) + secret + b"\0"
    read = Message.parse(data)
    assert (read.key, read.salt, read.mki) == (bytes(16), bytes(range(14)), b"abcd")


def changed(find: bytes, replacement: bytes, *, of: bytes = MEDIAMTX) -> bytes:
    assert of.count(find) == 1
    return of.replace(find, replacement)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\2" + MEDIAMTX[1:],  # version
        MEDIAMTX[:1] + b"\2" + MEDIAMTX[2:],  # keys that certificates protect
        MEDIAMTX[:8] + b"\x09" + MEDIAMTX[9:],  # nine sources
        MEDIAMTX[:9] + b"\1" + MEDIAMTX[10:],  # sessions that are not SRTP
        MEDIAMTX + b"\0" * 1024,
        changed(b"\0\0\0\x22\0\x20", b"\0\1\0\x22\0\x20"),  # an encrypted key
        changed(b"\0\0\0\x22\0\x20", b"\0\0\0\x22\0\0"),  # a key to derive others from
        changed(b"\0\0\0\x22\0\x20", b"\0\0\0\x22\0\x22"),  # valid for an interval
        changed(b"\1\1\x10", b"\1\1\x18"),  # 192 bits
        changed(b"\0\1\1\1\1\x10", b"\0\1\0\1\1\x10"),  # no encryption
        changed(b"\2\1\1\3\1\x14", b"\2\1\0\3\1\x14"),  # no authentication
        changed(b"\x07\1\1", b"\x07\1\0"),  # RTP in the clear
        changed(b"\x08\1\1", b"\x08\1\0"),
        changed(b"\x0a\1\1", b"\x0a\1\0"),
        changed(b"\x0b\1\x0a", b"\x0b\1\4"),  # a short tag
        changed(b"\0\x1e", b"\0\x1d"),
    ],
)
def test_what_is_refused(data: bytes) -> None:
    with pytest.raises(MikeyError):
        Message.parse(data)


def test_every_cut_is_refused() -> None:
    for size in range(len(MEDIAMTX)):
        with pytest.raises(MikeyError):
            Message.parse(MEDIAMTX[:size])


@given(st.binary(max_size=200))
@example(bytes([1, 0, 5, 0, 0, 0, 0, 0, 0, 0]) + b"\5\0" * 100)
def test_no_bytes_do_harm(data: bytes) -> None:
    with contextlib.suppress(MikeyError):
        Message.parse(data)


@given(st.integers(0, len(MEDIAMTX) - 1), st.binary(max_size=4))
def test_nor_do_those_of_a_message_that_was_changed(at: int, piece: bytes) -> None:
    with contextlib.suppress(MikeyError):
        Message.parse(MEDIAMTX[:at] + piece + MEDIAMTX[at + len(piece) :])
