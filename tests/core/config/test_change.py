from __future__ import annotations

from dataclasses import replace

from headgate.core.config import Applications, Configuration, GlobalConf, OwnConf, PathConf
from headgate.core.config.change import Change

NOW = Configuration.default()


def test_nothing() -> None:
    change = Change.between(NOW, replace(NOW, global_=GlobalConf()))
    assert not change
    assert change.keys == []


def test_what_differs_by_name_and_never_by_value() -> None:
    new = Configuration(
        global_=GlobalConf(read_timeout=3, auth_http_address="http://u:secret@h"),
        path_defaults=PathConf(max_readers=1),
        paths={"a": PathConf(), "all_others": PathConf()},
        applications=Applications(access_token="secret"),
        own=OwnConf(drain_timeout=5),
    )
    change = Change.between(NOW, new)
    assert change.keys == [
        "authHTTPAddress",
        "drainTimeout",
        "readTimeout",
        "pathDefaults.maxReaders",
        "applications.accessToken",
        "paths.a",
    ]
    assert change.concerns("rtspAddress", "readTimeout")
    assert change.concerns("drainTimeout")
    assert not change.concerns("rtspAddress")


def test_paths_that_came_went_and_changed() -> None:
    old = replace(NOW, paths={"a": PathConf(), "b": PathConf(), "c": PathConf()})
    new = replace(NOW, paths={"b": PathConf(), "c": PathConf(max_readers=1), "d": PathConf()})
    assert Change.between(old, new).paths == {"a", "c", "d"}
    assert Change.between(old, new, paths=("c",)).paths == {"c"}
