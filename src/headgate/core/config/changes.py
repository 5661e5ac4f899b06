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
    """On disk. Made once: with a thousand paths changed, a change of one more writes them all again."""

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

    def text(self) -> str:
        """The whole as JSON, which `read` takes."""
        paths = ",\n".join([change.text for change in self.paths.values()])
        return (
            f'{{"version":{VERSION},\n"global":{json.dumps(self.global_.given)},\n'
            f'"pathDefaults":{json.dumps(self.path_defaults.given)},\n"paths":{{{paths}}}}}\n'
        )

    @classmethod
    def read(cls, text: str) -> Self:
        """Raises ConfigurationError, ValueError: somebody else wrote it, or the disk lost a part."""
        document = json.loads(text)
        if not isinstance(document, dict) or document.get("version") != VERSION:
            raise ValueError(f"it is not of version {VERSION}")
        try:
            return cls(
                Amendment.read(GlobalConf, _object(document["global"])),
                Amendment.read(PathConf, _object(document["pathDefaults"])),
                {
                    name: PathChange(
                        name, Kind(change["kind"]), Amendment.read(PathConf, _object(change["keys"]))
                    )
                    for name, change in _object(document["paths"]).items()
                },
            )
        except ConfigurationError:
            raise
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"it is not complete ({error})") from None


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("an object is something else")
    return value
