"""The configured paths by name, made to be changed one at a time without touching the others."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Mapping
from typing import TypeVar, overload

from headgate.core.config.path_conf import PathConf
from headgate.core.config.path_names import CATCH_ALL, PathPattern

__all__ = ["PathTable"]

T = TypeVar("T")
Patterns = tuple[tuple[PathPattern, PathConf], ...]


class PathTable(Mapping[str, PathConf]):
    """Never changes; in name order. A changed copy costs two copies of memory, whatever there is to copy:
    some ten microseconds for a thousand paths.
    """

    __slots__ = ("_by_name", "_names", "patterns")

    def __init__(self, paths: Mapping[str, PathConf]) -> None:
        """Raises ValueError when a name is a regular expression that does not compile."""
        self._by_name = {name: _named(name, conf) for name, conf in paths.items()}
        self._names = sorted(self._by_name)
        self.patterns = _patterns(self._by_name, self._names)
        """The names that are expressions, in the order in which they are tried: by name, catch-all last."""

    @classmethod
    def _made(cls, by_name: dict[str, PathConf], names: list[str], patterns: Patterns) -> PathTable:
        table = cls.__new__(cls)
        table._by_name, table._names, table.patterns = by_name, names, patterns
        return table

    def __getitem__(self, name: str) -> PathConf:
        return self._by_name[name]

    @overload
    def get(self, name: str, /) -> PathConf | None: ...
    @overload
    def get(self, name: str, /, default: PathConf | T) -> PathConf | T: ...
    def get(self, name: str, /, default: object = None) -> object:
        return self._by_name.get(name, default)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"<PathTable of {len(self)}>"

    def with_path(self, name: str, conf: PathConf) -> PathTable:
        """Raises ValueError as the constructor."""
        by_name, names = self._by_name.copy(), self._names
        if name not in by_name:
            names = names.copy()
            bisect.insort(names, name)
        by_name[name] = _named(name, conf)
        return self._made(by_name, names, self._patterns_of(name, by_name, names))

    def without_path(self, name: str) -> PathTable:
        """Raises KeyError."""
        by_name, names = self._by_name.copy(), self._names.copy()
        del by_name[name]
        del names[bisect.bisect_left(names, name)]
        return self._made(by_name, names, self._patterns_of(name, by_name, names))

    def _patterns_of(self, changed: str, by_name: dict[str, PathConf], names: list[str]) -> Patterns:
        return self.patterns if PathPattern.compile(changed) is None else _patterns(by_name, names)


def _named(name: str, conf: PathConf) -> PathConf:
    return conf if conf.name == name else conf.model_copy(update={"name": name})


def _patterns(by_name: Mapping[str, PathConf], names: list[str]) -> Patterns:
    named = ((PathPattern.compile(name), by_name[name]) for name in names)
    patterns = [(pattern, conf) for pattern, conf in named if pattern is not None]
    patterns.sort(key=lambda item: item[1].name in CATCH_ALL)  # stable: name order, catch-all last
    return tuple(patterns)
