"""The JSON of configured paths, made once for each of them."""

from __future__ import annotations

from pydantic_core import to_json

from headgate.core.config import PathConf
from headgate.core.config.secrets import redacted

__all__ = ["CAPACITY", "PathDocuments"]

CAPACITY = 16_384  # paths; some 2 kB each


class PathDocuments:
    """A path's configuration has 76 keys and never changes, and lists may hold thousands of them.

    Known by identity: telling two apart by their values would cost as much as making the document.
    """

    def __init__(self) -> None:
        self._made: dict[int, tuple[PathConf, bytes]] = {}
        """With the configuration itself, so that its identity is not another's."""

    def __len__(self) -> int:
        return len(self._made)

    def of(self, conf: PathConf) -> bytes:
        """Without its secrets."""
        known = self._made.get(id(conf))
        if known is not None:
            return known[1]
        if len(self._made) >= CAPACITY:
            self._made.clear()  # mostly of configurations that are gone
        document = to_json(redacted(conf.document()))
        self._made[id(conf)] = conf, document
        return document
