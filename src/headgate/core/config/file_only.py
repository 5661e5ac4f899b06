"""Keys that lead to commands belong to the file, unless it lets the API have them (`hooksFromAPI`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from headgate.core.config.amendment import FROM_FILE_ONLY, Amendment
from headgate.core.config.changes import Changes, Kind, PathChange
from headgate.core.config.configuration import Configuration
from headgate.core.config.path_conf import PathConf
from headgate.core.config.section import Section

__all__ = ["dropped_hooks", "without_hooks"]

KEYS_TOLD = 32
OfPath = Mapping[str, Any]
Own = Mapping[str, OfPath]


def without_hooks(changes: Changes, base: Configuration, own: Own) -> Changes:
    """What is left of changes that were made while the API might set hooks.

    What the file says as well stays, and what switches a hook off. A path that was replaced has the file's
    hooks, where the file has one of that key for it: who sent back what a GET gave has not taken them away.
    `own`: what the file says of each path, by attribute.
    """
    return Changes(
        _without(changes.global_, base.global_),
        _without(changes.path_defaults, base.path_defaults),
        {
            name: _of_path(change, base.path_defaults, own.get(name, {}))
            for name, change in changes.paths.items()
        },
    )


def dropped_hooks(before: Changes, after: Changes) -> list[str]:
    """What to tell an operator of them: one warning, or none."""
    keys = _gone_keys(before, after)
    if not keys:
        return []
    shown = ", ".join(keys[:KEYS_TOLD])
    return [f"hooksFromAPI is off: hooks that were set through the API are dropped: {shown}"]


def _gone_keys(before: Changes, after: Changes) -> list[str]:
    """The keys of `before` that are not in `after`, or are others: "runOnConnect", "paths.cam.runOnReady"."""
    gone = [*_gone("", before.global_, after.global_)]
    gone += _gone("pathDefaults.", before.path_defaults, after.path_defaults)
    for name, change in before.paths.items():
        gone += _gone(f"paths.{name}.", change.amendment, after.paths[name].amendment)
    return gone


def _of_path(change: PathChange, defaults: PathConf, own: OfPath) -> PathChange:
    left = _without(change.amendment, defaults, own if change.kind is Kind.REPLACED else {})
    return change if left is change.amendment else replace(change, amendment=left)


def _without(amendment: Amendment, base: Section, own: OfPath = MappingProxyType({})) -> Amendment:
    names, off = base.names(), type(base)()
    given, values = dict(amendment.given), dict(amendment.values)
    for key in amendment.given:
        name = names[key]
        if not key.startswith(FROM_FILE_ONLY) or values[name] == getattr(off, name):
            continue
        if name in own:
            values[name] = own[name]
            given[key] = PathConf.model_validate({name: own[name]}).document()[key]
        elif values[name] != getattr(base, name):
            del given[key], values[name]
    return amendment if given == amendment.given else Amendment(given, values)


def _gone(prefix: str, before: Amendment, after: Amendment) -> list[str]:
    return [f"{prefix}{key}" for key, value in before.given.items() if after.given.get(key) != value]
