from __future__ import annotations

import pytest

from headgate.core.errors import Refused
from headgate.turn.credentials import REMEMBERED, Candidate, Credentials, Remembered, rest_password
from headgate.turn.stun.integrity import PasswordAlgorithm, long_term_key, userhash

SECRETS = ["a secret of sixteen or more", "another secret that is long"]


def credentials(**changes: object) -> Credentials:
    return Credentials(**{"realm": "example.org", "users": {"bob": "builder"}, "secrets": SECRETS, **changes})  # type: ignore[arg-type]


def test_a_user_has_one_password() -> None:
    (candidate,) = credentials().candidates("bob")
    assert (candidate.user, candidate.password, candidate.expires) == ("bob", "builder", None)
    assert list(credentials().candidates("eve")) == []


def test_a_minted_credential_is_taken() -> None:
    ours = credentials(urls=["turn:192.0.2.1:3478"])
    minted = ours.mint(user="alice", ttl=600, now=1000.5)
    assert (minted.name, minted.ttl, minted.urls) == ("1600:alice", 600, ("turn:192.0.2.1:3478",))
    first, second = ours.candidates(minted.name)
    assert (first.user, first.expires, first.password) == ("alice", 1600.0, minted.password)
    assert second.password == rest_password(SECRETS[1].encode(), minted.name)
    assert minted.password not in repr(minted)


def test_the_form_is_that_of_coturn() -> None:
    """printf 1433895918:filiph | openssl dgst -sha1 -hmac north -binary | base64"""
    import base64
    import hashlib
    import hmac

    name = "1433895918:filiph"
    expected = base64.b64encode(hmac.new(b"north", name.encode(), hashlib.sha1).digest()).decode()
    assert rest_password(b"north", name) == expected


def test_without_a_name_the_whole_is_the_user() -> None:
    first, _ = credentials().candidates("1700000000")
    assert (first.user, first.expires) == ("1700000000", 1_700_000_000.0)


@pytest.mark.parametrize("name", ["", ":", "x:bob", "-1:bob", "1e9:bob", "٣٣:bob", "9" * 12 + ":bob"])
def test_what_is_no_time_is_no_time_limited_name(name: str) -> None:
    assert list(credentials().candidates(name)) == []


@pytest.mark.parametrize(("user", "ttl"), [("a\nb", 60), ("bob", 0), ("bob", -1), ("bob", 8 * 86_400)])
def test_what_cannot_be_minted(user: str, ttl: float) -> None:
    with pytest.raises(ValueError, match=r"name|lives"):
        credentials().mint(user=user, ttl=ttl, now=0)


def test_nothing_is_minted_without_a_secret() -> None:
    with pytest.raises(Refused, match="authSecrets"):
        credentials(secrets=[]).mint(user="bob", ttl=60, now=0)


def test_a_hash_finds_its_user() -> None:
    ours = credentials()
    assert ours.name_of(userhash(user="bob", realm="example.org")) == "bob"
    assert ours.name_of(userhash(user="bob", realm="example.com")) is None


def test_what_another_server_said_is_remembered_within_bounds() -> None:
    ours = credentials()
    for number in range(REMEMBERED + 10):
        ours.remember(f"user{number}", Remembered("x", None, 1.0))
    assert len(ours.remembered) == REMEMBERED
    assert "user0" not in ours.remembered
    (candidate,) = ours.candidates(f"user{REMEMBERED}")
    assert candidate.password == "x"


def test_a_key_is_of_name_password_and_algorithm() -> None:
    ours = credentials(users={"bob": "builder", "alice": "builder"})
    ours.remember("bob", Remembered("other", None, 1.0))
    md5 = long_term_key(user="bob", realm="example.org", password="builder", algorithm=PasswordAlgorithm.MD5)
    for _ in range(2):
        (builder, key), (other, _) = ours.keys("bob", PasswordAlgorithm.MD5)
        assert (builder, key) == (Candidate("bob", "builder"), md5)
        assert other == Candidate("bob", "other", until=1.0)
    keys = {
        key
        for name in ("bob", "alice")
        for algorithm in PasswordAlgorithm
        for _, key in ours.keys(name, algorithm)
    }
    assert len(keys) == 6


def test_what_another_server_said_counts_from_then_on() -> None:
    ours = credentials()
    assert ours.keys("carol", PasswordAlgorithm.MD5) == ()
    ours.remember("carol", Remembered("secret", None, 1.0))
    ((carol, _),) = ours.keys("carol", PasswordAlgorithm.MD5)
    assert carol == Candidate("carol", "secret", until=1.0)
    ours.remember("carol", Remembered(None, None, 2.0))
    assert ours.keys("carol", PasswordAlgorithm.MD5) == ()
