from __future__ import annotations

from headgate.media.rtsp.nonce import LIFETIME, Nonce


def test_a_nonce_is_its_owners_and_for_a_while() -> None:
    one, other = Nonce(), Nonce()
    value = one.current(0.0)
    assert one.current(1.0) == value
    assert one.is_valid(value, 1.0)
    assert not other.is_valid(value, 1.0)
    assert not other.is_valid("", 1.0)
    assert not one.is_valid(value, LIFETIME)
    assert one.current(LIFETIME) != value
    assert not one.is_valid(value, LIFETIME)


def test_counts_rise() -> None:
    one = Nonce()
    one.current(0.0)
    assert [one.use(count) for count in (0, 0, 1, 1, 3, 2, 0, 4)] == [
        *(True, True),
        *(True, False, True, False, False, True),
    ]
