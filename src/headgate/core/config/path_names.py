"""Names of paths: what a client may ask for, and what a configuration may match it with."""

from __future__ import annotations

import functools
import re
import warnings
from dataclasses import dataclass

from pydantic_core import SchemaError, SchemaValidator, core_schema

from headgate.core.errors import NotFound

__all__ = ["CATCH_ALL", "PathPattern", "check_path_name", "is_plain", "path_name_mistake"]

CATCH_ALL = frozenset({"all", "all_others", "~^.*$"})
"""Three spellings of one configuration name."""

NAME = re.compile(r"[0-9a-zA-Z_\-/.~:]+")
# A file name on every file system we know may have 255 bytes, and recordings are named after paths.
NAME_LIMIT = 255
# Everything `re` and the linear matcher spell differently; an escape in front of "(" is skipped.
DIALECT = re.compile(r"\\z|\\.|\(\?<(?![=!])", re.DOTALL)


def path_name_mistake(name: str) -> str | None:
    """What is wrong with a path's name, or None (media.md 2.4; dot segments are refused as well)."""
    if not name:
        return "cannot be empty"
    if name.startswith("/"):
        return "can't begin with a slash"
    if name.endswith("/"):
        return "can't end with a slash"
    if NAME.fullmatch(name) is None:
        return "can contain only alphanumeric characters, underscore, dot, tilde, minus, slash, colon"
    if len(name) > NAME_LIMIT:
        return f"can't be longer than {NAME_LIMIT} bytes"
    if any(segment in {".", ".."} for segment in name.split("/")):
        return "can't have a segment . or .."
    return None


def check_path_name(name: str) -> None:
    """Raises NotFound: no path has such a name."""
    if mistake := path_name_mistake(name):
        raise NotFound(f"invalid path name '{name[:NAME_LIMIT]}': {mistake}")


def is_plain(conf_name: str) -> bool:
    """Whether a configuration name is one path's, and no expression for many."""
    return not conf_name.startswith("~") and conf_name not in CATCH_ALL


@dataclass(frozen=True, slots=True)
class PathPattern:
    """A configuration name that is a regular expression, and how to match path names with it.

    Names come from clients, so whether one matches is decided by a matcher
    whose time grows linearly with the name (Rust's regex, inside pydantic; its
    syntax is that of Go, so MediaMTX's expressions mean the same). `re` only
    takes the groups of a name that is known to match.
    """

    expression: str
    """Without the leading "~"."""
    _linear: SchemaValidator
    _groups: re.Pattern[str]

    @classmethod
    @functools.lru_cache(maxsize=1024)
    def compile(cls, conf_name: str) -> PathPattern | None:
        """The pattern of a configuration name; None when it names one path. Raises ValueError."""
        if conf_name in CATCH_ALL:
            expression = "^.*$"
        elif conf_name.startswith("~"):
            expression = conf_name[1:]
        else:
            return None
        try:
            linear = SchemaValidator(core_schema.str_schema(pattern=expression))
            with warnings.catch_warnings(action="error"):
                groups = re.compile(DIALECT.sub(_translate, expression))
        except (SchemaError, re.error, RecursionError, OverflowError, Warning):
            raise ValueError(f"invalid regular expression: {expression[:NAME_LIMIT]}") from None
        return cls(expression, linear, groups)

    def match(self, name: str) -> tuple[str, ...] | None:
        """The groups ("" for one that took no part) of a name that matches, else None."""
        if not self._linear.isinstance_python(name):
            return None
        if self._groups.groups == 0:
            return ()
        found = self._groups.search(name)
        return None if found is None else found.groups(default="")


def _translate(match: re.Match[str]) -> str:
    return {r"\z": r"\Z", "(?<": "(?P<"}.get(match[0], match[0])
