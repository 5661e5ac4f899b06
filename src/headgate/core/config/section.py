"""What every part of a configuration shares: frozen, strict about keys, printable in the seed's order."""

from __future__ import annotations

import functools
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Section", "key"]


class Section(BaseModel):
    """Fields have the seed's camelCase keys as aliases and stand in the seed's order."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_alias=True, validate_by_name=True)

    def document(self) -> dict[str, Any]:
        """The JSON document of this section: every key, in order, encoded as in media.md 2.3."""
        return self.model_dump(mode="json", by_alias=True)

    @classmethod
    @functools.cache
    def names(cls) -> dict[str, str]:
        """From key to attribute, in order."""
        return {field.alias or name: name for name, field in cls.model_fields.items()}


def key(alias: str, meaning: str, *, default: Any, least: int | None = None, most: int | None = None) -> Any:
    """Declare a field: its key outside, what it means to an operator, its default, its bounds."""
    return Field(default, alias=alias, description=meaning, ge=least, le=most)
