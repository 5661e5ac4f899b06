"""From a file and the environment to a configuration, or to every mistake in them at once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import platformdirs
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from headgate.core.config.configuration import DEFAULT_PATH, Applications, Configuration
from headgate.core.config.draft import Draft, Location, did_you_mean
from headgate.core.config.effect import ineffective, unsafe
from headgate.core.config.environment import read_environment
from headgate.core.config.former_keys import modernise
from headgate.core.config.global_conf import GlobalConf, IceServer
from headgate.core.config.own_conf import OwnConf, Webhook
from headgate.core.config.path_conf import PathConf
from headgate.core.config.path_names import CATCH_ALL, PathPattern
from headgate.core.config.rooms_conf import RoomsConf, RoomsModules, RoomsUsers
from headgate.core.config.rules import camera_mistakes, global_mistakes, name_mistake, path_mistakes
from headgate.core.config.section import Section
from headgate.core.config.turn_conf import TurnConf, TurnInterface, TurnPeers, TurnQuotas
from headgate.core.config.users import AuthInternalUser, AuthInternalUserPermission
from headgate.core.config.yaml_file import read_yaml
from headgate.core.errors import ConfigurationError

__all__ = ["Loaded", "find_file", "load", "mistake_text", "without_nulls"]

S = TypeVar("S", bound=Section)
Own = Mapping[str, Mapping[str, Any]]

ITEM_KEYS = (
    *AuthInternalUser.names(),
    *AuthInternalUserPermission.names(),
    *IceServer.names(),
    *Webhook.names(),
    *RoomsConf.names(),
    *RoomsModules.names(),
    *RoomsUsers.names(),
    *TurnConf.names(),
    *TurnInterface.names(),
    *TurnPeers.names(),
    *TurnQuotas.names(),
)
SECTIONS = ("pathDefaults", "paths", "applications")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that has no mistake."""

    configuration: Configuration
    file: Path | None
    """None: no file was found, all comes from the defaults and the environment."""
    warnings: Sequence[str]
    """Deprecated keys, and keys that have no effect in this version; each with file, line and key."""
    own: Mapping[str, Mapping[str, Any]]
    """What each path says for itself, by attribute; the rest is the path defaults'."""


def find_file() -> Path | None:
    """The first there is: here, in the user's configuration directory, in the system's."""
    places = (
        Path("headgate.yml"),
        Path("mediamtx.yml"),
        platformdirs.user_config_path("headgate") / "headgate.yml",
        Path("/etc/headgate/headgate.yml"),
    )
    return next((place for place in places if place.is_file()), None)


def load(file: Path | None = None, environ: Mapping[str, str] = os.environ) -> Loaded:
    """Read the file (or the one `find_file` finds, or none), then the environment.

    Raises ConfigurationError with every mistake there is. A key somebody's
    security relies on and which has no effect yet is one.
    """
    file = file or find_file()
    draft = Draft()
    if file is not None:
        read_yaml(file, draft)
    read_environment(environ, draft)
    modernise(draft)
    configuration, own = _resolve(draft)
    for location, text in unsafe(configuration):
        draft.mistake(location, text)
    if draft.mistakes:
        raise ConfigurationError(draft.mistakes)
    for location, text in ineffective(configuration):
        draft.warn(location, text)
    return Loaded(configuration, file, tuple(draft.warnings), own)


def _resolve(draft: Draft) -> tuple[Configuration, Own]:
    """Check everything; where there are mistakes, what is returned is not to be used."""
    top = {key: value for key, value in draft.data.items() if key not in SECTIONS}
    ours = {key: top.pop(key) for key in OwnConf.names() if key in top}
    own, _ = _section(draft, OwnConf, (), ours)
    global_, broken = _section(draft, GlobalConf, (), top)
    for key, text in global_mistakes(global_):
        if key not in broken:
            draft.mistake((key,), text)
    defaults, broken = _section(draft, PathConf, ("pathDefaults",), draft.data.get("pathDefaults"))
    defaults = defaults.model_copy(update={"name": ""})
    applications, _ = _section(draft, Applications, ("applications",), draft.data.get("applications"))
    paths, written = _paths(draft, defaults, broken_defaults=broken, playback=global_.playback)
    configuration = Configuration(
        global_=global_, path_defaults=defaults, paths=paths, applications=applications, own=own
    )
    return configuration, written


def _paths(
    draft: Draft, defaults: PathConf, *, broken_defaults: frozenset[str], playback: bool
) -> tuple[dict[str, PathConf], Own]:
    written = draft.data.get("paths")
    if written is None:
        written = {DEFAULT_PATH: None}
    elif not isinstance(written, dict):
        draft.mistake(("paths",), "must be a mapping of names to paths")
        written = {}
    paths: dict[str, PathConf] = {}
    own: dict[str, frozenset[str]] = {}
    values_of: dict[str, dict[str, Any]] = {}
    for name, values in written.items():
        if mistake := name_mistake(name):
            draft.mistake(("paths", name), mistake)
            continue
        conf, broken = _section(draft, PathConf, ("paths", name), values)
        changed = {field: getattr(conf, field) for field in conf.model_fields_set - {"name"}}
        values_of[name] = changed
        paths[name] = defaults.model_copy(update={**changed, "name": name})
        own[name] = frozenset(key for key, field in PathConf.names().items() if field in changed)
        is_pattern = PathPattern.compile(name) is not None
        for key, text in path_mistakes(paths[name], is_pattern=is_pattern, playback=playback):
            if key not in broken and (key in own[name] or key not in broken_defaults):
                draft.mistake(_inherited(draft, own, name, key), text)
    twins = sorted(CATCH_ALL & paths.keys())
    for twin in twins[1:]:
        draft.mistake(("paths", twin), f"{twin} and {twins[0]} are the same; only one may be configured")
    for name, key, text in camera_mistakes(paths):
        draft.mistake(_inherited(draft, own, name, key), text)
    return paths, values_of


def _inherited(draft: Draft, own: Mapping[str, frozenset[str]], name: str, key: str) -> Location:
    """Where the value of a path's key was written: at the path, in the defaults, or nowhere."""
    if key not in own[name] and draft.get(("pathDefaults", key)) is not None:
        return ("pathDefaults", key)
    return ("paths", name, key)


def _section(draft: Draft, section: type[S], location: Location, written: Any) -> tuple[S, frozenset[str]]:
    """The section, and the keys that had mistakes: they have their default in it.

    Thus the rules between keys can still be checked, and every mistake is told at once.
    """
    if written is None:
        written = {}
    if not isinstance(written, dict):
        draft.mistake(location, "must be a mapping of keys to values")
        written = {}
    names = section.names()
    values: dict[str, Any] = {}
    for key, value in written.items():
        if key not in names:
            # Sections of the top level are candidates as well.
            known = names if location else (*names, *OwnConf.names(), *SECTIONS)
            draft.mistake((*location, key), f"unknown key{did_you_mean(key, known)}")
        elif value is not None:  # null means: as if it were not there
            values[key] = without_nulls(value)
    broken: set[str] = set()
    try:
        return section.model_validate(values, by_alias=True, by_name=False), frozenset()
    except ValidationError as error:
        for details in error.errors(include_url=False):
            draft.mistake((*location, *details["loc"]), mistake_text(details))
            broken.add(str(details["loc"][0]))
    rest = {key: value for key, value in values.items() if key not in broken}
    return section.model_validate(rest, by_alias=True, by_name=False), frozenset(broken)


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def mistake_text(details: ErrorDetails) -> str:
    """A mistake pydantic found, in words of ours. No text shows a value that could be a secret."""
    context = details.get("ctx", {})
    match details["type"]:
        case "value_error":
            return str(context["error"])
        case "extra_forbidden":
            return f"unknown key{did_you_mean(str(details['loc'][-1]), ITEM_KEYS)}"
        case "missing":
            return "is missing"
        case "string_type":
            return "must be text"
        case "tuple_type":
            return "must be a list"
        case "model_type" | "model_attributes_type":
            return "must be a mapping of keys to values"
        case "greater_than_equal":
            return f"must be at least {context['ge']}"
        case "less_than_equal":
            return f"must be at most {context['le']}"
        case "finite_number":
            return "must be a finite number"
        case _:
            return details["msg"]
