from __future__ import annotations

import pytest
from pydantic import ValidationError

from headgate.core.config.users import DEFAULT_USERS, AuthInternalUser, is_hashed

ARGON2 = "argon2:$argon2id$v=19$m=4096,t=3,p=1$MTIzNDU2Nzg$Ux/LWeTgJQPyfMMJo1myR64+o8rALHoPmlE1i/TR+58"


def test_the_default_users_are_those_of_mediamtx() -> None:
    everybody, operator = DEFAULT_USERS
    assert [p.action.value for p in everybody.permissions] == ["publish", "read", "playback"]
    assert everybody.ips == ()
    assert operator.document()["ips"] == ["127.0.0.1/32", "::1/128"]


@pytest.mark.parametrize(
    "password",
    ["", "p4ss!$()*+.;<=>[]^_-{}@#&", "sha256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", ARGON2],
)
def test_passwords(password: str) -> None:
    assert AuthInternalUser(user="x", password=password).document()["pass"] == password
    assert is_hashed(password) == (":" in password)


@pytest.mark.parametrize("password", ["a b", "ä", "sha256:!!", "argon2:plain", "a:b", "a\n"])
def test_bad_passwords_are_not_shown(password: str) -> None:
    with pytest.raises(ValidationError) as caught:
        AuthInternalUser(user="x", password=password)
    assert password not in str(caught.value.errors()[0]["msg"])


def test_anybody_has_no_password_and_nobody_no_name() -> None:
    with pytest.raises(ValidationError, match="'any'"):
        AuthInternalUser(user="any", password="x")
    with pytest.raises(ValidationError, match="empty usernames"):
        AuthInternalUser()
