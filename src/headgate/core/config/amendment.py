"""The keys of one section that a request sets: read, checked and kept as they were given."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from pydantic import ValidationError

from headgate.core.config.draft import dotted
from headgate.core.config.former_keys import Former
from headgate.core.config.loader import mistake_text, without_nulls
from headgate.core.config.redaction import has_redacted, keep
from headgate.core.config.section import Section
from headgate.core.errors import ConfigurationError

__all__ = ["FROM_FILE_ONLY", "Amendment"]

NOT_USED = "name"
"""A path's name is its key under `paths`."""
FROM_FILE_ONLY = ("runOn", "webhooks", "hooksFromAPI", "logFile")
"""How the keys begin that lead to commands, or to lines in any file, which may be as much: who reaches the
API must not thereby reach a shell.
"""
KINDS = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
}


@dataclass(frozen=True, slots=True)
class Amendment:
    given: Mapping[str, Any] = field(default_factory=dict)
    """By key, as JSON."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """By attribute, as the section holds them."""

    @classmethod
    def read(
        cls,
        section: type[Section],
        given: Mapping[str, Any],
        *,
        current: Section | None = None,
        former: Mapping[str, Former] | None = None,
        hooks: bool = True,
    ) -> Self:
        """Null is as if the key were not there; a redacted secret is the one in `current`.

        Where `hooks` is false, keys that lead to commands must stay as they are in `current`.
        Raises ConfigurationError.
        """
        keys = section.names()
        given = _modern(given, former or {}, keys)
        given = {key: without_nulls(value) for key, value in given.items() if value is not None}
        for key in given:
            if key not in keys:
                raise ConfigurationError([f'json: unknown field "{key[:64]}"'])
        given.pop(NOT_USED, None)
        given = _unredacted(given, current)
        try:
            typed = section.model_validate(given, by_alias=True, by_name=False)
        except ValidationError as error:
            raise ConfigurationError(
                [
                    f'json: unknown field "{details["loc"][-1]}"'
                    if details["type"] == "extra_forbidden"
                    else f"{dotted(details['loc'])}: {mistake_text(details)}"
                    for details in error.errors(include_url=False)
                ]
            ) from None
        printed = typed.model_dump(mode="json", by_alias=True, include={keys[key] for key in given})
        mistakes = [text for key in given for text in _kinds(given[key], printed[key], at=key)]
        if not hooks:
            mistakes += [
                f"{key}: cannot be set through the API; set it in the file"
                for key in given
                if key.startswith(FROM_FILE_ONLY)
                and getattr(typed, keys[key]) != getattr(current or section(), keys[key])
            ]
        if mistakes:
            raise ConfigurationError(mistakes)
        return cls(given, {keys[key]: getattr(typed, keys[key]) for key in given})

    def __or__(self, other: Amendment) -> Amendment:
        return Amendment({**self.given, **other.given}, {**self.values, **other.values})

    def without(self, names: Collection[str], section: type[Section]) -> Amendment:
        """Less these attributes."""
        if not names:
            return self
        keys = section.names()
        return Amendment(
            {key: value for key, value in self.given.items() if keys[key] not in names},
            {name: value for name, value in self.values.items() if name not in names},
        )


def _modern(
    given: Mapping[str, Any], former: Mapping[str, Former], keys: Mapping[str, str]
) -> dict[str, Any]:
    """In the keys of this release. A key that moved to another section stays, and is unknown."""
    modern = dict(given)
    for key, value in given.items():
        now = former.get(key)
        if now is None or now.to_path_defaults or key in keys:
            continue
        del modern[key]
        if value is None:
            continue
        try:
            value = now.convert(value)
        except ValueError as error:
            raise ConfigurationError([f"{key}: {error}"]) from None
        if modern.get(now.key) not in (None, value):
            raise ConfigurationError([f"{key}: says the same as {now.key}, which is set as well"])
        modern[now.key] = value
    return modern


def _unredacted(given: dict[str, Any], current: Section | None) -> dict[str, Any]:
    if not has_redacted(given):
        return given
    present = {} if current is None else current.model_dump(mode="json", by_alias=True)
    kept: dict[str, Any] = {}
    for key, value in given.items():
        try:
            kept[key] = keep(value, present.get(key))
        except ValueError as error:
            raise ConfigurationError([f"{key}: {error}"]) from None
    return kept


def _kinds(given: Any, printed: Any, *, at: str) -> list[str]:
    """JSON's own types are meant: "10" is no number and "yes" no truth, though a file may write them so."""
    if isinstance(given, list) and isinstance(printed, list):
        # What is printed may be sorted, and without twins: its items are all of one kind.
        pairs = zip(given, printed if len(given) == len(printed) else printed[:1] * len(given), strict=False)
        return [text for i, (item, like) in enumerate(pairs) for text in _kinds(item, like, at=f"{at}[{i}]")]
    if isinstance(given, dict) and isinstance(printed, dict):
        return [text for key in given for text in _kinds(given[key], printed[key], at=f"{at}.{key}")]
    if KINDS[type(given)] == KINDS[type(printed)]:
        return []
    return [f"{at}: must be {KINDS[type(printed)]}, not {KINDS[type(given)]}"]
