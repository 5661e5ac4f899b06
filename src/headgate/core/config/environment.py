"""Environment variables that set keys: HEADGATE_READTIMEOUT, and MediaMTX's MTX_READTIMEOUT.

    HEADGATE_<KEY>                         HEADGATE_LOGLEVEL=debug
    HEADGATE_<KEY>_<INDEX>_<KEY>           HEADGATE_AUTHINTERNALUSERS_0_USER=admin
    HEADGATE_PATHDEFAULTS_<KEY>            HEADGATE_PATHDEFAULTS_MAXREADERS=10
    HEADGATE_PATHS_<NAME>_<KEY>            HEADGATE_PATHS_CAM1_MAXREADERS=2
    HEADGATE_PATHS_<NAME>=                 a path with the defaults
    HEADGATE_APPLICATIONS_ACCESSTOKEN

Simple lists are separated by commas; an empty value is an empty list. A path
is found whatever its case; one that is not configured yet is made in lower case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args, get_origin

from headgate.core.config.configuration import Applications
from headgate.core.config.draft import Draft, Location, Origin, did_you_mean
from headgate.core.config.former_keys import FORMER_GLOBAL, FORMER_PATH, Former
from headgate.core.config.global_conf import GlobalConf
from headgate.core.config.own_conf import OwnConf
from headgate.core.config.path_conf import PathConf
from headgate.core.config.section import Section

__all__ = ["read_environment"]

PREFIXES = ("MTX_", "HEADGATE_")  # the later wins
API_VARIABLE = "HEADGATE_API"  # the key `api`; with a URL it is meant for `headgate sessions` and `kick`
STATE_VARIABLE = "HEADGATE_STATE_DIR"
ENCRYPTED_VARIABLE = "MTX_CONFKEY"
# What Kubernetes sets in every container beside a service called headgate.
KUBERNETES = re.compile(r"HEADGATE_(SERVICE_(HOST|PORT(_.*)?)|PORT(_[0-9]+_(TCP|UDP)(_.*)?)?)")


def read_environment(environ: Mapping[str, str], draft: Draft) -> None:
    """Lay the variables over the draft.

    A HEADGATE_ variable that names no key is a mistake in it. An MTX_ one only
    a warning: MediaMTX takes no notice of those, and gives some to its hooks.
    """
    for prefix in PREFIXES:
        variables = (name for name in environ if name.startswith(prefix))
        for variable in sorted(variables, key=_by_number):
            value = environ[variable]
            if variable == ENCRYPTED_VARIABLE:
                draft.mistake_of(Origin(variable), "encrypted configuration files are not supported")
            elif not _for_others(variable, value):
                _set(draft, variable, variable.removeprefix(prefix), value)


def _for_others(variable: str, value: str) -> bool:
    return (
        variable == STATE_VARIABLE
        or (variable == API_VARIABLE and "://" in value)
        or KUBERNETES.fullmatch(variable) is not None
    )


def _by_number(variable: str) -> list[tuple[int, str]]:
    """Sorts list items as numbers: _2_ before _10_."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in variable.split("_")]


def _set(draft: Draft, variable: str, name: str, value: str) -> None:
    origin = Origin(variable)
    if name.startswith("PATHS_"):
        location, kind = _path(draft, name.removeprefix("PATHS_"), value)
    elif name.startswith("PATHDEFAULTS_"):
        location, kind = _within(PathConf, FORMER_PATH, ("pathDefaults",), name.removeprefix("PATHDEFAULTS_"))
    elif name.startswith("APPLICATIONS_"):
        location, kind = _within(Applications, {}, ("applications",), name.removeprefix("APPLICATIONS_"))
    else:
        location, kind = _within(GlobalConf, FORMER_GLOBAL, (), name)
        if location is None:
            location, kind = _within(OwnConf, {}, (), name)
    if location is None:
        known = [key.upper() for key in (*GlobalConf.names(), *OwnConf.names(), *FORMER_GLOBAL)]
        text = f"no key is called so{did_you_mean(name, known)}"
        if variable.startswith("MTX_"):
            draft.warnings.append(f"{variable}: {text}")
        else:
            draft.mistake_of(origin, text)
        return
    for depth, step in enumerate(location):
        if isinstance(step, int):
            _fill(draft, location[:depth])
            here = draft.get(location[:depth])
            if step > (len(here) if isinstance(here, list) else 0):
                draft.mistake_of(origin, f"item {step} of {location[0]} is set, but not the one before it")
                return
    draft.put(location, _value(kind, value), origin)


def _path(draft: Draft, rest: str, value: str) -> tuple[Location | None, Any]:
    """Path names may have underscores, keys have none: the key is what follows the last one."""
    name, _, key = rest.rpartition("_")
    if name:
        location, kind = _within(PathConf, FORMER_PATH, ("paths", _path_name(draft, name)), key)
        if location is not None:
            return location, kind
    return (("paths", _path_name(draft, rest)), dict) if rest and not value else (None, None)


def _path_name(draft: Draft, name: str) -> str:
    paths = draft.get(("paths",))
    written = {str(key).lower(): str(key) for key in paths} if isinstance(paths, dict) else {}
    return written.get(name.lower(), name.lower())


def _within(
    section: type[Section], former: Mapping[str, Former], location: Location, rest: str
) -> tuple[Location | None, Any]:
    """The location a variable names inside a section, and the annotation of its value."""
    head, _, tail = rest.partition("_")
    fields = {field.alias: field for field in section.model_fields.values()}
    by_upper = {key.upper(): key for key in (*former, *(alias for alias in fields if alias is not None))}
    key = by_upper.get(head)
    if key is None:
        return None, None
    now = former[key] if key in former and key not in fields else None
    target = PathConf if now and now.to_path_defaults else section
    field = target.model_fields[target.names()[now.key if now else key]]
    kind, here = field.annotation, (*location, key)
    if not tail:
        return here, kind
    if isinstance(kind, type) and issubclass(kind, Section):
        return _within(kind, {}, here, tail)
    index, _, tail = tail.partition("_")
    item = _item(kind)
    if item is None or not tail or not index.isdecimal() or len(index) > 4:
        return None, None
    return _within(item, {}, (*here, int(index)), tail)


def _item(kind: Any) -> type[Section] | None:
    """What a list of mappings is made of."""
    arguments = get_args(kind)
    if get_origin(kind) is tuple and isinstance(arguments[0], type) and issubclass(arguments[0], Section):
        return arguments[0]
    return None


def _value(kind: Any, value: str) -> Any:
    if kind is dict:
        return {}
    if get_origin(kind) is tuple:
        return value.split(",") if value else []
    return value


def _fill(draft: Draft, location: Location) -> None:
    """Before an item of a list is changed, the list must be there: as configured, else the default."""
    if isinstance(draft.get(location), list) or len(location) != 1:
        return
    default = GlobalConf().document().get(str(location[0]))
    if isinstance(default, list):
        draft.put(location, default, draft.origin(location))
