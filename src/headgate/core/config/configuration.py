"""The whole configuration, resolved: what the server runs with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from headgate.core.config.global_conf import GlobalConf
from headgate.core.config.own_conf import OwnConf
from headgate.core.config.path_conf import PathConf
from headgate.core.config.path_names import check_path_name
from headgate.core.config.path_table import PathTable
from headgate.core.config.section import Section, key
from headgate.core.errors import NotFound

__all__ = ["DEFAULT_PATH", "Applications", "Configuration", "PathMatch"]

DEFAULT_PATH = "all_others"
"""The one path a configuration has that names none: anybody may publish anywhere."""


class Applications(Section):
    """The control API that shows the first part of a path's name as an application."""

    access_token: str = key("accessToken", "token its callers must give; empty: none is needed", default="")


class PathMatch(NamedTuple):
    """What a path name is configured as."""

    conf_name: str
    conf: PathConf
    groups: tuple[str, ...]
    """$G1, $G2 … of a regular expression."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Frozen; a change makes a new one. `load` builds it from a file and the environment."""

    global_: GlobalConf
    path_defaults: PathConf
    paths: Mapping[str, PathConf]
    """By configuration name, each with the path defaults merged in. In name order."""
    applications: Applications
    own: OwnConf = field(default_factory=OwnConf)
    """The keys of the top level that MediaMTX does not have."""

    def __post_init__(self) -> None:
        """Raises ValueError when a name is a regular expression that does not compile."""
        if not isinstance(self.paths, PathTable):
            object.__setattr__(self, "paths", PathTable(self.paths))

    @property
    def table(self) -> PathTable:
        """The paths, as what can be changed one at a time."""
        assert isinstance(self.paths, PathTable)  # noqa: S101 (made so above; for the type checker)
        return self.paths

    @classmethod
    def default(cls) -> Self:
        """What the server runs with when there is no file."""
        return cls(
            global_=GlobalConf(),
            path_defaults=PathConf(),
            paths={DEFAULT_PATH: PathConf(name=DEFAULT_PATH)},
            applications=Applications(),
        )

    def path_for(self, name: str) -> PathMatch:
        """What a client's path is configured as: by its exact name, else the first expression that matches.

        Expressions are tried in name order, the catch-all last. Raises NotFound
        when the name is no path name or nothing is configured for it.
        """
        check_path_name(name)
        conf = self.paths.get(name)
        # A name like "~x" is a legal path name too; it must not find the expression of that spelling.
        if conf is not None and not name.startswith("~"):
            return PathMatch(name, conf, ())
        for pattern, conf in self.table.patterns:
            groups = pattern.match(name)
            if groups is not None:
                return PathMatch(conf.name, conf, groups)
        raise NotFound(f"path '{name}' is not configured")
