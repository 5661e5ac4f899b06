from __future__ import annotations

import pytest

from headgate.core.config import Applications, Configuration, GlobalConf, PathConf
from headgate.core.errors import NotFound


def configuration(*names: str) -> Configuration:
    return Configuration(
        global_=GlobalConf(),
        path_defaults=PathConf(),
        paths={name: PathConf(max_readers=index) for index, name in enumerate(names)},
        applications=Applications(),
    )


def test_the_default_takes_any_path() -> None:
    match = Configuration.default().path_for("any/where")
    assert match.conf_name == "all_others"
    assert match.conf.name == "all_others"
    assert match.groups == ()


def test_an_exact_name_comes_first() -> None:
    conf = configuration("~^cam", "cam1", "all")
    assert conf.path_for("cam1").conf_name == "cam1"
    assert conf.path_for("cam2").conf_name == "~^cam"
    assert conf.path_for("door").conf_name == "all"


@pytest.mark.parametrize("catch_all", ["all", "all_others", "~^.*$"])
def test_expressions_go_by_name_and_the_catch_all_last(catch_all: str) -> None:
    conf = configuration("~^z", catch_all, "~^[a-z]", "~^c(.)m$")
    assert conf.path_for("zoo").conf_name == "~^[a-z]"
    assert conf.path_for("cam").conf_name == "~^[a-z]"
    assert conf.path_for("9").conf_name == catch_all


def test_groups_are_handed_out() -> None:
    conf_name, conf, groups = configuration("~^c(.)m([0-9])?$").path_for("cam")
    assert (conf_name, groups) == ("~^c(.)m([0-9])?$", ("a", ""))
    assert conf.name == conf_name


def test_what_is_not_configured_is_not_found() -> None:
    with pytest.raises(NotFound, match="path 'door' is not configured"):
        configuration("cam").path_for("door")
    with pytest.raises(NotFound, match="invalid path name"):
        Configuration.default().path_for("../etc/passwd")


def test_a_client_cannot_name_an_expression() -> None:
    conf = configuration("~cam", "x")
    assert conf.path_for("~cam").groups == ()  # it matches the expression "cam", like any name that has it
    with pytest.raises(NotFound, match="not configured"):
        configuration("~door$", "x").path_for("~cam")
    with pytest.raises(NotFound, match="invalid path name"):
        configuration("~^a$").path_for("~^a$")


def test_paths_are_in_name_order_and_cannot_be_changed() -> None:
    conf = configuration("b", "a")
    assert list(conf.paths) == ["a", "b"]
    assert conf.paths["a"].max_readers == 1
    with pytest.raises(TypeError):
        conf.paths["c"] = PathConf()  # type: ignore[index] - that it cannot is what is tested


def test_a_bad_expression_makes_no_configuration() -> None:
    with pytest.raises(ValueError, match="invalid regular expression"):
        configuration("~(")
