"""What was changed through the API: raw values on top of the file, and their form on disk."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from headgate.core.config.amendment import Amendment
from headgate.core.config.global_conf import GlobalConf
from headgate.core.config.path_conf import PathConf
from headgate.core.errors import ConfigurationError

__all__ = ["Changes", "Kind", "PathChange"]

VERSION = 1


class Kind(enum.StrEnum):
    """What happened to a path."""

    PATCHED = "patched"
    """Some keys on top of the file's path; of no effect while the file has no such path."""
    REPLACED = "replaced"
    """The path is what was given, whatever the file says of it. A path that was added is one of these."""
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class PathChange:
    name: str
    kind: Kind
    amendment: Amendment = field(default_factory=Amendment)
    text: str = field(init=False, repr=False, compare=False)
    """On disk. Made once: with a thousand paths changed, each may be written again now and then."""

    def __post_init__(self) -> None:
        document = {"kind": self.kind, "keys": self.amendment.given}
        text = f"{json.dumps(self.name)}:{json.dumps(document, separators=(',', ':'))}"
        object.__setattr__(self, "text", text)


@dataclass(frozen=True, slots=True)
class Changes:
    global_: Amendment = field(default_factory=Amendment)
    path_defaults: Amendment = field(default_factory=Amendment)
    paths: Mapping[str, PathChange] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.global_.given or self.path_defaults.given or self.paths)

    def with_path(self, name: str, change: PathChange | None) -> Changes:
        """None: as the file has it."""
        paths = dict(self.paths)
        if change is None:
            paths.pop(name, None)
        else:
            paths[name] = change
        return replace(self, paths=paths)

    def line(self, name: str) -> str:
        """What became of one path, to stand behind the whole."""
        change = self.paths.get(name)
        return f"{{{change.text}}}\n" if change is not None else f"{json.dumps({name: None})}\n"

    def text(self) -> str:
        """The whole as JSON, which `read` takes."""
        paths = ",\n".join([change.text for change in self.paths.values()])
        return (
            f'{{"version":{VERSION},\n"global":{json.dumps(self.global_.given)},\n'
            f'"pathDefaults":{json.dumps(self.path_defaults.given)},\n"paths":{{{paths}}}}}\n'
        )

    @classmethod
    def read(cls, text: str) -> Self:
        """The whole, and lines behind it. Raises ConfigurationError, ValueError: somebody else wrote it, or
        the disk lost a part.
        """
        document, end = json.JSONDecoder().raw_decode(text)
        lines = _lines(text[end:])
        if not isinstance(document, dict) or document.get("version") != VERSION:
            raise ValueError(f"it is not of version {VERSION}")
        try:
            paths = {**_object(document["paths"])}
            for line in lines:
                paths |= _object(line)
            return cls(
                Amendment.read(GlobalConf, _object(document["global"])),
                Amendment.read(PathConf, _object(document["pathDefaults"])),
                {
                    name: PathChange(
                        name, Kind(change["kind"]), Amendment.read(PathConf, _object(change["keys"]))
                    )
                    for name, change in paths.items()
                    if change is not None
                },
            )
        except ConfigurationError:
            raise
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"it is not complete ({error})") from None


def _lines(text: str) -> list[Any]:
    """Raises ValueError. A last one that cannot be read was being written when everything ended: nobody was
    told that it is kept.
    """
    *whole, unfinished = text.removeprefix("\n").split("\n")
    lines: list[Any] = []
    for number, line in enumerate(whole):
        try:
            lines.append(json.loads(line))
        except ValueError:
            if number + 1 < len(whole) or unfinished:
                raise
    return lines


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("an object is something else")
    return value
