"""The file with its environment, the changes on top of it, and the configuration both make."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from headgate.core.config.amendment import Amendment
from headgate.core.config.changes import Changes, Kind, PathChange
from headgate.core.config.configuration import Configuration
from headgate.core.config.draft import dotted
from headgate.core.config.effect import UNSAFE_PATH, unsafe
from headgate.core.config.file_only import without_hooks
from headgate.core.config.former_keys import FORMER_GLOBAL, FORMER_PATH
from headgate.core.config.global_conf import GlobalConf
from headgate.core.config.path_conf import RPI_CAMERA, PathConf
from headgate.core.config.path_names import CATCH_ALL, PathPattern
from headgate.core.config.path_table import PathTable
from headgate.core.config.rules import camera_mistakes, global_mistakes, name_mistake, path_mistakes
from headgate.core.config.section import Section
from headgate.core.errors import ConfigurationError, NotFound, Refused

__all__ = ["Layers"]

Values = Mapping[str, Any]
Own = Mapping[str, Values]

UNSAFE_FIELDS = frozenset(name for key, name in PathConf.names().items() if key in UNSAFE_PATH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """Frozen; every change is a method that returns the layers after it, or raises and nothing happened.

    Each gives the same configuration as `compose` would from nothing, but looks at what it touches only.
    """

    base: Configuration
    base_own: Own
    """What the file says of each path itself, by attribute."""
    changes: Changes
    configuration: Configuration
    own: Own
    """The same after the changes."""

    @classmethod
    def compose(cls, base: Configuration, own: Own, changes: Changes | None = None) -> Self:
        """From nothing. Raises ConfigurationError with everything that does not fit.

        Hooks among the changes are left out where the file does not let the API set them (any more).
        """
        changes = changes or Changes()
        if not base.own.hooks_from_api:
            changes = without_hooks(changes, base, own)
        merged = _own(own, changes)
        defaults = base.path_defaults.model_copy(update=dict(changes.path_defaults.values))
        configuration = Configuration(
            global_=base.global_.model_copy(update=dict(changes.global_.values)),
            path_defaults=defaults,
            paths={name: _conf(defaults, name, values) for name, values in merged.items() if _good(name)},
            applications=base.applications,
            own=base.own,
        )
        layers = cls(base=base, base_own=own, changes=changes, configuration=configuration, own=merged)
        if changes:
            _raise(layers._all_mistakes())
        return layers

    @classmethod
    def of(cls, configuration: Configuration) -> Self:
        """Of a configuration that comes from no file: each path's own is what differs from the defaults."""
        defaults = configuration.path_defaults
        own = {
            name: {
                field: getattr(conf, field)
                for field in PathConf.model_fields
                if field != "name" and getattr(conf, field) != getattr(defaults, field)
            }
            for name, conf in configuration.paths.items()
        }
        return cls(base=configuration, base_own=own, changes=Changes(), configuration=configuration, own=own)

    def patch_global(self, given: Values) -> Layers:
        now = self.configuration
        amendment = Amendment.read(
            GlobalConf, given, current=now.global_, former=FORMER_GLOBAL, hooks=self._hooks
        )
        amendment = _beyond(self.changes.global_ | amendment, self.base.global_)
        global_ = self.base.global_.model_copy(update=dict(amendment.values))
        configuration = replace(now, global_=global_)
        changes = replace(self.changes, global_=amendment)
        layers = replace(self, changes=changes, configuration=configuration)
        mistakes = [f"{key}: {text}" for key, text in global_mistakes(global_)]
        if global_.playback != now.global_.playback:
            mistakes += layers._path_mistakes(now.paths)
        _raise([*mistakes, *_unsafe(replace(configuration, paths={}))])
        return layers

    def patch_path_defaults(self, given: Values) -> Layers:
        now = self.configuration
        amendment = Amendment.read(
            PathConf, given, current=now.path_defaults, former=FORMER_PATH, hooks=self._hooks
        )
        amendment = _beyond(self.changes.path_defaults | amendment, self.base.path_defaults)
        defaults = self.base.path_defaults.model_copy(update=dict(amendment.values))
        paths = {name: _conf(defaults, name, values) for name, values in self.own.items()}
        configuration = replace(now, path_defaults=defaults, paths=PathTable(paths))
        changes = replace(self.changes, path_defaults=amendment)
        layers = replace(self, changes=changes, configuration=configuration)
        _raise([*layers._path_mistakes(paths), *_cameras(paths), *_unsafe(configuration)])
        return layers

    def add_path(self, name: str, given: Values) -> Layers:
        amendment = Amendment.read(PathConf, given, former=FORMER_PATH, hooks=self._hooks)
        if name in self.configuration.paths:
            raise Refused("path already exists")
        return self._with_path(name, PathChange(name, Kind.REPLACED, amendment), amendment.values)

    def patch_path(self, name: str, given: Values) -> Layers:
        """Raises NotFound."""
        current = self.configuration.paths.get(name)
        amendment = Amendment.read(PathConf, given, current=current, former=FORMER_PATH, hooks=self._hooks)
        if current is None:
            raise NotFound("path not found")
        before = self.changes.paths.get(name)
        kind = Kind.PATCHED if before is None else before.kind
        if before is not None:
            amendment = before.amendment | amendment
        own = self.base_own.get(name, {}) if kind is Kind.PATCHED else {}
        return self._with_path(name, PathChange(name, kind, amendment), {**own, **amendment.values})

    def replace_path(self, name: str, given: Values) -> Layers:
        """Also makes it."""
        current = self.configuration.paths.get(name)
        amendment = Amendment.read(PathConf, given, current=current, former=FORMER_PATH, hooks=self._hooks)
        return self._with_path(name, PathChange(name, Kind.REPLACED, amendment), amendment.values)

    def delete_path(self, name: str) -> Layers:
        """Raises NotFound."""
        table = self.configuration.table
        if name not in table:
            raise NotFound("path not found")
        removed, left = table[name], table.without_path(name)
        if removed.source == RPI_CAMERA:
            _raise(_cameras(left))
        change = PathChange(name, Kind.DELETED) if name in self.base_own else None
        own = dict(self.own)
        del own[name]
        return replace(
            self,
            changes=self.changes.with_path(name, change),
            configuration=replace(self.configuration, paths=left),
            own=own,
        )

    @property
    def _hooks(self) -> bool:
        """Whether the file allows what leads to commands."""
        return self.base.own.hooks_from_api

    def _with_path(self, name: str, change: PathChange, values: Values) -> Layers:
        if mistake := name_mistake(name):
            raise ConfigurationError([mistake])
        if twin := next(iter((CATCH_ALL & self.own.keys()) - {name} if name in CATCH_ALL else ()), None):
            raise ConfigurationError([f"{name} and {twin} are the same; only one may be configured"])
        now = self.configuration
        conf = _conf(now.path_defaults, name, values)
        table = now.table.with_path(name, conf)
        configuration = replace(now, paths=table)
        kept = None if self.base_own.get(name) == values else change
        layers = replace(
            self,
            changes=self.changes.with_path(name, kept),
            configuration=configuration,
            own={**self.own, name: values},
        )
        mistakes = layers._path_mistakes((name,), say=lambda _, key: key)
        before = now.paths.get(name)
        if RPI_CAMERA in {conf.source, before.source if before else ""}:
            mistakes += _cameras(table)
        if not UNSAFE_FIELDS.isdisjoint(values):
            mistakes += _unsafe(replace(configuration, paths={name: conf}))
        _raise(mistakes)
        return layers

    def _all_mistakes(self) -> list[str]:
        configuration = self.configuration
        names = [name_mistake(name) for name in self.own]
        twins = sorted(CATCH_ALL & self.own.keys())
        return [
            *(f"{key}: {text}" for key, text in global_mistakes(configuration.global_)),
            *(mistake for mistake in names if mistake),
            *(f"{twin} and {twins[0]} are the same; only one may be configured" for twin in twins[1:]),
            *self._path_mistakes(configuration.paths),
            *_cameras(configuration.paths),
            *_unsafe(configuration),
        ]

    def _path_mistakes(
        self, names: Iterable[str], *, say: Callable[[str, str], str] | None = None
    ) -> list[str]:
        """`say` tells how a path's key is called; by default with the path, or as the path defaults'."""

        def where(name: str, key: str) -> str:
            inherited = keys[key] not in self.own[name] and keys[key] in self.changes.path_defaults.values
            return f"pathDefaults.{key}" if inherited else f"paths.{name}.{key}"

        keys = PathConf.names()
        playback = self.configuration.global_.playback
        return [
            f"{(say or where)(name, key)}: {text}"
            for name in names
            for key, text in path_mistakes(
                self.configuration.paths[name],
                is_pattern=PathPattern.compile(name) is not None,
                playback=playback,
            )
        ]


def _own(own: Own, changes: Changes) -> dict[str, Values]:
    merged = dict(own)
    for name, change in changes.paths.items():
        if change.kind is Kind.DELETED:
            merged.pop(name, None)
        elif change.kind is Kind.REPLACED:
            merged[name] = change.amendment.values
        elif name in merged:
            merged[name] = {**merged[name], **change.amendment.values}
    return merged


def _conf(defaults: PathConf, name: str, own: Values) -> PathConf:
    return defaults.model_copy(update={**own, "name": name})


def _good(name: str) -> bool:
    return name_mistake(name) is None


def _beyond(amendment: Amendment, base: Section) -> Amendment:
    """Less what the file says as well: that is no change any more."""
    same = {name for name, value in amendment.values.items() if value == getattr(base, name)}
    return amendment.without(same, type(base))


def _cameras(paths: Mapping[str, PathConf]) -> list[str]:
    return [f"paths.{name}.{key}: {text}" for name, key, text in camera_mistakes(paths)]


def _unsafe(configuration: Configuration) -> list[str]:
    return [f"{dotted(location)}: {text}" for location, text in unsafe(configuration)]


def _raise(mistakes: list[str]) -> None:
    if mistakes:
        raise ConfigurationError(list(dict.fromkeys(mistakes)))
