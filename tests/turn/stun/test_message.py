from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.turn.stun.answer import Answer
from headgate.turn.stun.attribute import Attribute
from headgate.turn.stun.integrity import Integrity
from headgate.turn.stun.message import (
    HEADER_SIZE,
    Malformed,
    Message,
    MessageClass,
    Method,
)

TRANSACTION = bytes(range(12))
KEY = b"0123456789abcdef"


def request(method: int = Method.ALLOCATE) -> Answer:
    return Answer(method, MessageClass.REQUEST, TRANSACTION)


@pytest.mark.parametrize("method", [*Method, 0x0FFF, 0x0555, 0x0AAA])
@pytest.mark.parametrize("message_class", list(MessageClass))
def test_method_and_class_are_read_as_they_were_written(method: int, message_class: MessageClass) -> None:
    message = Message(Answer(method, message_class, TRANSACTION).finish())
    assert (message.method, message.message_class) == (method, message_class)
    assert message.transaction == TRANSACTION


@given(
    values=st.lists(st.tuples(st.integers(0x8030, 0xFFFF), st.binary(max_size=40)), max_size=20),
    integrity=st.sampled_from([None, *Integrity]),
    fingerprint=st.booleans(),
)
def test_what_is_built_is_read(
    values: list[tuple[int, bytes]], integrity: Integrity | None, *, fingerprint: bool
) -> None:
    built = request()
    for kind, value in values:
        built.add(kind, value)
    data = built.finish(
        key=KEY if integrity else None, integrity=integrity or Integrity.SHA1, fingerprint=fingerprint
    )
    message = Message(data)
    first: dict[int, bytes] = {}
    for kind, value in values:
        first.setdefault(kind, value)
    assert message.attributes == first
    assert message.is_protected is (integrity is not None)
    assert message.holds(KEY) is (integrity is not None)
    assert bool(message.fingerprint_at) is fingerprint
    assert message.fingerprint_holds()
    assert len(data) % 4 == 0


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_malformed(data: bytes) -> None:
    try:
        message = Message(data)
    except Malformed:
        return
    assert len(message.data) >= HEADER_SIZE


@given(st.binary(max_size=160))
def test_any_attributes_are_read_or_malformed(body: bytes) -> None:
    body = body[: len(body) & ~3]
    data = b"\x00\x03" + len(body).to_bytes(2) + bytes.fromhex("2112a442") + TRANSACTION + body
    try:
        message = Message(data)
    except Malformed:
        return
    message.holds(KEY)
    message.fingerprint_holds()


@pytest.mark.parametrize("method", list(Method))
def test_every_length_that_is_not_the_true_one_is_refused(method: Method) -> None:
    whole = (
        request(method).add(Attribute.LIFETIME, b"\0\0\0\1").add(Attribute.USERNAME, b"bob").finish(key=KEY)
    )
    near = {each for edge in (0, len(whole), 1 << 15, 65_535) for each in range(edge - 9, edge + 9)}
    for declared in sorted(each for each in near if 0 <= each <= 65_535 and each != len(whole) - HEADER_SIZE):
        with pytest.raises(Malformed):
            Message(whole[:2] + declared.to_bytes(2) + whole[4:])
    for size in range(len(whole)):
        with pytest.raises(Malformed):
            Message(whole[:size])


@pytest.mark.parametrize("declared", [*range(9), 12, 16, 255, 65_532, 65_535])
def test_an_attribute_ends_within_the_message(declared: int) -> None:
    body = b"\x00\x0d" + declared.to_bytes(2) + b"\0\0\0\1"
    data = b"\x00\x04\x00\x08" + bytes.fromhex("2112a442") + TRANSACTION + body
    if declared > 4:
        with pytest.raises(Malformed):
            Message(data)
    else:
        try:
            assert len(Message(data).attributes[Attribute.LIFETIME]) == declared
        except Malformed:
            assert declared == 0  # what follows is read as an attribute then, and ends outside


@pytest.mark.parametrize("length", [0, 1, 2, 3, 5, 40])
def test_padding_is_zero(length: int) -> None:
    value = b"\xff" * length
    data = request().add(Attribute.USERNAME, value).finish()
    assert data[24 + length :] == bytes(-length % 4)


def test_of_duplicates_the_first_counts() -> None:
    data = request().add(Attribute.LIFETIME, b"\0\0\0\1").add(Attribute.LIFETIME, b"\0\0\0\2").finish()
    assert Message(data).attributes[Attribute.LIFETIME] == b"\0\0\0\1"


@pytest.mark.parametrize("integrity", list(Integrity))
@pytest.mark.parametrize(
    "kind",
    [Attribute.LIFETIME, Attribute.XOR_PEER_ADDRESS, Attribute.CHANNEL_NUMBER, Attribute.USERNAME, 0x0025],
)
def test_what_stands_after_the_integrity_is_not_there(integrity: Integrity, kind: int) -> None:
    """S-03."""
    whole = request().add(Attribute.REALM, b"x").finish(key=KEY, integrity=integrity)
    appended = whole[20:] + kind.to_bytes(2) + b"\x00\x08" + bytes(8)
    message = Message(whole[:2] + len(appended).to_bytes(2) + whole[4:20] + appended)
    assert list(message.attributes) == [Attribute.REALM]
    assert (message.peers, message.unknown) == ([], [])
    assert message.holds(KEY)


def test_both_integrities_may_be_there_and_the_better_one_decides() -> None:
    sha1 = request().finish(key=KEY)
    body = sha1[20:]
    both = Answer(Method.ALLOCATE, MessageClass.REQUEST, TRANSACTION)
    both.add(Attribute.MESSAGE_INTEGRITY, body[4:])
    message = Message(both.finish(key=KEY, integrity=Integrity.SHA256))
    assert message.integrity_at
    assert message.integrity_sha256_at
    assert message.holds(KEY)
    assert not message.holds(b"another key")


@pytest.mark.parametrize(
    ("kind", "size"), [(0x0008, 16), (0x0008, 24), (0x001C, 12), (0x001C, 36), (0x001C, 18)]
)
def test_an_integrity_of_another_size_is_malformed(kind: int, size: int) -> None:
    with pytest.raises(Malformed):
        Message(request().add(kind, bytes(size)).finish())


@pytest.mark.parametrize("size", [16, 20, 24, 28])
def test_a_truncated_sha256_is_judged_by_its_bytes(size: int) -> None:
    """RFC 8489 14.6: 16 bytes at least."""
    shell = request().add(Attribute.MESSAGE_INTEGRITY_SHA256, bytes(size)).finish()
    whole = Answer(Method.ALLOCATE, MessageClass.REQUEST, TRANSACTION)
    import hmac

    digest = hmac.digest(KEY, shell[:20], "sha256")[:size]
    assert Message(whole.add(Attribute.MESSAGE_INTEGRITY_SHA256, digest).finish()).holds(KEY)


def test_the_fingerprint_is_last() -> None:
    data = request().add(Attribute.FINGERPRINT, bytes(4)).add(Attribute.LIFETIME, bytes(4)).finish()
    with pytest.raises(Malformed):
        Message(data)


def test_attributes_are_counted() -> None:
    crowd = request()
    for _ in range(128):
        crowd.add(Attribute.SOFTWARE, b"")
    with pytest.raises(Malformed):
        Message(crowd.finish())


def test_what_must_be_understood_and_is_not() -> None:
    data = (
        request()
        .add(0x7FFF, b"")
        .add(0x0025, b"")
        .add(0x8055, b"")
        .add(Attribute.CHANGE_REQUEST, b"")
        .finish()
    )
    assert Message(data).unknown == [0x7FFF, 0x0025, Attribute.CHANGE_REQUEST]
    optional = {Attribute.CHANGE_REQUEST, Attribute.RESPONSE_PORT, Attribute.PADDING}
    of_integrity = {Attribute.MESSAGE_INTEGRITY, Attribute.MESSAGE_INTEGRITY_SHA256}
    for kind in {*range(0x0100), 0x7FFF, 0x8000, 0x8022, 0xFFFF} - of_integrity:
        unknown = kind < 0x8000 and (kind not in set(Attribute) or kind in optional)
        assert bool(Message(request().add(kind, b"").finish()).unknown) is unknown


def test_its_repr_tells_what_it_is() -> None:
    assert repr(Message(request().finish())) == f"<StunMessage method=0x003 class=0 {TRANSACTION.hex()}>"
