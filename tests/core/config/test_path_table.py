from __future__ import annotations

import pytest

from headgate.core.config import PathConf
from headgate.core.config.path_table import PathTable


def table(*names: str) -> PathTable:
    return PathTable({name: PathConf() for name in names})


def test_a_change_makes_a_new_one_in_name_order() -> None:
    before = table("b", "~^x", "d")
    after = before.with_path("c", PathConf(max_readers=3)).with_path("~^a", PathConf()).without_path("b")
    assert (list(before), list(after)) == (["b", "d", "~^x"], ["c", "d", "~^a", "~^x"])
    assert (after["c"].name, after["c"].max_readers) == ("c", 3)
    assert [conf.name for _, conf in after.patterns] == ["~^a", "~^x"]
    assert after == table("c", "d", "~^a", "~^x").with_path("c", PathConf(max_readers=3))


def test_the_catch_all_comes_last() -> None:
    after = table("all_others").with_path("~^z", PathConf())
    assert [conf.name for _, conf in after.patterns] == ["~^z", "all_others"]
    assert [conf.name for _, conf in after.without_path("all_others").patterns] == ["~^z"]


def test_what_is_not_there() -> None:
    assert table("a").get("b") is None
    assert "b" not in table("a")
    with pytest.raises(KeyError):
        table("a").without_path("b")
    with pytest.raises(ValueError, match="invalid regular expression"):
        table("a").with_path("~(", PathConf())
