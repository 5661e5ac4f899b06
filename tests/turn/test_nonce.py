from __future__ import annotations

import base64

from headgate.turn.nonce import COOKIES, HEAD, KEY_LIFETIME, LIFETIME, Nonces

SIZE = 24
CLIENT, OTHER = b"1 40000 198.51.100.7", b"1 40001 198.51.100.7"


def test_it_holds_for_its_client_and_its_time() -> None:
    nonces = Nonces(now=0)
    nonce = nonces.make(CLIENT, now=100)
    assert len(nonce) == SIZE
    assert nonce.startswith(COOKIES[0])
    assert nonces.holds(nonce, CLIENT, now=100)
    assert nonces.holds(nonce, CLIENT, now=100 + LIFETIME)
    assert not nonces.holds(nonce, CLIENT, now=100 + LIFETIME + 1)
    assert not nonces.holds(nonce, OTHER, now=100)
    assert not Nonces(now=0).holds(nonce, CLIENT, now=100)


def test_time_goes_round_and_it_does_not_come_back() -> None:
    nonces = Nonces(now=0)
    nonce = nonces.make(CLIENT, now=1)
    assert not any(nonces.holds(nonce, CLIENT, now=1 + step) for step in range(601, 65_000, 97))
    nonces.make(CLIENT, now=KEY_LIFETIME)
    nonces.make(CLIENT, now=2 * KEY_LIFETIME)
    assert not nonces.holds(nonce, CLIENT, now=65_537)


def test_a_change_of_key_ends_no_nonce_early() -> None:
    nonces = Nonces(now=0)
    old = nonces.make(CLIENT, now=KEY_LIFETIME - 10)
    new = nonces.make(CLIENT, now=KEY_LIFETIME)
    assert nonces.holds(old, CLIENT, now=KEY_LIFETIME + LIFETIME - 10)
    assert not nonces.holds(old, CLIENT, now=KEY_LIFETIME + LIFETIME)
    assert nonces.holds(new, CLIENT, now=KEY_LIFETIME + LIFETIME)


def test_every_other_character_is_refused() -> None:
    nonces = Nonces(now=0)
    nonce = nonces.make(CLIENT, now=5)
    for position in range(SIZE - 1):
        for other in (b"A", b"z", b"\0", b"\xff", b"="):
            changed = nonce[:position] + other + nonce[position + 1 :]
            assert nonces.holds(changed, CLIENT, now=5) is (changed == nonce)
    assert not nonces.holds(b"", CLIENT, now=5)
    assert not nonces.holds(nonce + b"A", CLIENT, now=5)


def test_they_do_not_repeat_and_no_bit_is_preferred() -> None:
    """S-07."""
    nonces = Nonces(now=0)
    count = 10_000
    made = [nonces.make(b"1 %d 198.51.100.7" % port, now=9) for port in range(count)]
    assert len(set(made)) == count

    tags = [int.from_bytes(base64.b64decode(nonce[HEAD:] + b"=")[2:]) for nonce in made]
    bias = 4.5 * (count**0.5) / 2  # sigmas; 48 bits are looked at
    for bit in range(48):
        ones = sum(tag >> bit & 1 for tag in tags)
        assert abs(ones - count / 2) < bias
