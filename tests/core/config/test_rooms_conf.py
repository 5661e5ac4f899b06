"""The section `rooms`."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from headgate.core.config.rooms_conf import RoomsConf


def conf(**keys: object) -> RoomsConf:
    return RoomsConf.model_validate(keys, by_alias=True, by_name=False)


def test_out_of_the_box() -> None:
    assert (conf().address, conf().base_path, conf().users.enabled) == (":8080", "/", False)


def test_what_is_made_the_same() -> None:
    given = conf(
        basePath="/meet", allowedOrigins=["HTTPS://Example.org"], users={"httpheaderHeader": "X-User"}
    )
    assert given.base_path == "/meet/"
    assert given.allowed_origins == ("https://example.org",)
    assert given.users.httpheader_header == "x-user"


@pytest.mark.parametrize(
    "keys",
    [
        {"address": "nowhere"},
        {"basePath": "meet"},
        {"basePath": "/../"},
        {"basePath": '/"><script>'},
        {"allowedOrigins": ["example.org"]},
        {"allowedOrigins": ["https://example.org/path"]},
        {"turnURIs": ["example.org"]},
        {"sessionSecret": "short"},
        {"users": {"sharedsecretSecret": "short"}},
        {"users": {"mode": "magic"}},
        {"users": {"enabled": True, "mode": "httpheader"}},
        {"users": {"httpheaderHeader": "x y"}},
        {"roomTypes": {"(": "Conference"}},
        {"roomTypes": {"x": "Party"}},
        {"roomLimit": 0},
        {"roomLimit": 5001},
        {"maxSessions": 0},
        {"title": "two\nlines"},
        {"contentSecurityPolicy": "a\r\nset-cookie: b"},
        {"unheard": "of"},
    ],
)
def test_mistakes(keys: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        conf(**keys)


def test_secrets_are_not_printed() -> None:
    given = conf(sessionSecret="s" * 20, turnSecret="tttt", users={"sharedsecretSecret": "u" * 20})
    for secret in ("s" * 20, "tttt", "u" * 20):
        assert secret not in repr(given)
        assert secret not in str(given.document())
