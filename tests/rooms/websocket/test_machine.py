"""Frames of a client, good and hostile."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.rooms.websocket.frame import CloseCode, Opcode
from headgate.rooms.websocket.machine import (
    FRAGMENT_LIMIT,
    MESSAGE_LIMIT,
    BinaryIgnored,
    Closing,
    Event,
    Failure,
    Machine,
    Ping,
    Pong,
    Text,
)

MASK = b"\x01\x02\x03\x04"


def masked(payload: bytes, *, first: int, second: int = 0x80) -> bytes:
    """As a client sends it; `first` and `second` are the head's bytes without the size."""
    size = len(payload)
    if size < 126:
        head = bytes((first, second | size))
    elif size < 65536:
        head = bytes((first, second | 126)) + struct.pack("!H", size)
    else:
        head = bytes((first, second | 127)) + struct.pack("!Q", size)
    body = bytes(byte ^ MASK[index % 4] for index, byte in enumerate(payload))
    return head + MASK + body


def message(payload: bytes, opcode: Opcode = Opcode.TEXT, *, final: bool = True) -> bytes:
    return masked(payload, first=(0x80 if final else 0) | opcode)


def events(machine: Machine, data: bytes) -> list[Event]:
    machine.receive(data)
    found = []
    while (event := machine.next()) is not None:
        found.append(event)
    return found


def fails(data: bytes) -> CloseCode:
    with pytest.raises(Failure) as caught:
        events(Machine(), data)
    return caught.value.code


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, MESSAGE_LIMIT])
def test_a_text_of_any_size(size: int) -> None:
    text = b"x" * size
    assert events(Machine(), message(text)) == [Text(text)]


def test_fragments_with_a_ping_in_between() -> None:
    data = (
        message(b"one ", final=False)
        + message(b"", Opcode.PING)
        + message(b"two ", Opcode.CONTINUATION, final=False)
        + message(b"three", Opcode.CONTINUATION)
    )
    assert events(Machine(), data) == [Ping(b""), Text(b"one two three")]


def test_everything_else() -> None:
    data = (
        message(b"x", Opcode.BINARY)
        + message(b"", Opcode.PONG)
        + message(struct.pack("!H", 1001), Opcode.CLOSE)
    )
    assert events(Machine(), data) == [BinaryIgnored(), Pong(), Closing(1001)]
    assert events(Machine(), message(b"", Opcode.CLOSE)) == [Closing(CloseCode.NO_STATUS)]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x01x", CloseCode.PROTOCOL_ERROR),  # not masked
        (masked(b"x", first=0xC1), CloseCode.PROTOCOL_ERROR),  # RSV1: permessage-deflate
        (masked(b"x", first=0xA1), CloseCode.PROTOCOL_ERROR),
        (masked(b"x", first=0x91), CloseCode.PROTOCOL_ERROR),
        (masked(b"x", first=0x83), CloseCode.PROTOCOL_ERROR),  # an opcode nobody knows
        (masked(b"x", first=0x8B), CloseCode.PROTOCOL_ERROR),
        (message(b"x", Opcode.CONTINUATION), CloseCode.PROTOCOL_ERROR),
        (message(b"x", final=False) + message(b"y"), CloseCode.PROTOCOL_ERROR),
        (message(b"x" * 126, Opcode.PING), CloseCode.PROTOCOL_ERROR),
        (message(b"x", Opcode.PING, final=False), CloseCode.PROTOCOL_ERROR),
        (message(b"x", Opcode.CLOSE), CloseCode.PROTOCOL_ERROR),
        (message(struct.pack("!H", 1005), Opcode.CLOSE), CloseCode.PROTOCOL_ERROR),
        (message(struct.pack("!H", 5000), Opcode.CLOSE), CloseCode.PROTOCOL_ERROR),
        (message(struct.pack("!H", 1000) + b"\xff", Opcode.CLOSE), CloseCode.INVALID_DATA),
        (b"\x81\xff" + struct.pack("!Q", 2**63), CloseCode.TOO_BIG),
        (b"\x81\xff" + struct.pack("!Q", MESSAGE_LIMIT + 1), CloseCode.TOO_BIG),
    ],
)
def test_what_breaks_the_protocol(data: bytes, code: CloseCode) -> None:
    assert fails(data) is code


def test_fragments_are_bounded_together() -> None:
    half = b"x" * (MESSAGE_LIMIT // 2 + 1)
    data = message(half, final=False) + message(half, Opcode.CONTINUATION)
    assert fails(data) is CloseCode.TOO_BIG


def test_a_million_empty_fragments() -> None:
    data = message(b"", final=False) + message(b"", Opcode.CONTINUATION, final=False) * FRAGMENT_LIMIT
    assert fails(data) is CloseCode.POLICY


@given(st.lists(st.binary(max_size=200), max_size=6), st.lists(st.integers(1, 40), max_size=50))
def test_however_the_bytes_are_cut(texts: list[bytes], cuts: list[int]) -> None:
    data = b"".join(message(text) for text in texts)
    machine, found = Machine(), []
    for cut in cuts:
        found += events(machine, data[:cut])
        data = data[cut:]
    found += events(machine, data)
    assert found == [Text(text) for text in texts]
    assert machine.waiting == 0


@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    with contextlib.suppress(Failure):
        events(Machine(), data)
