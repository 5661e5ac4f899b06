"""A file of another relay, bounded, and whose it is."""

from __future__ import annotations

import tomllib
from pathlib import Path

from headgate.core.config.foreign.coturn import from_coturn
from headgate.core.config.foreign.translation import Translation, printable
from headgate.core.config.foreign.turn_rs import from_turn_rs
from headgate.core.errors import HeadgateError

__all__ = ["ForeignError", "translate"]

SIZE_LIMIT = 1 << 20  # bytes, as for our own
TOML_LIMIT = 1 << 18  # its reader takes longer than one would think for what nobody writes by hand


class ForeignError(HeadgateError):
    """The file cannot be read. The text names it."""


def translate(file: Path) -> str:
    """Our configuration for the same relay, with comments. Raises ForeignError.

    What ends in .toml is turn-rs's, everything else coturn's.
    """
    is_toml = file.suffix.lower() == ".toml"
    text = _read(file, limit=TOML_LIMIT if is_toml else SIZE_LIMIT)
    translation = Translation()
    if is_toml:
        try:
            document = tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            raise ForeignError(f"{file}: not TOML: {printable(str(error), 200)}") from None
        from_turn_rs(document, translation)
    else:
        from_coturn(text, translation)
    translation.check()
    whose = "turn-rs" if is_toml else "coturn"
    return translation.text(title=f"From {file.name}, a configuration of {whose}.")


def _read(file: Path, *, limit: int) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(limit + 1)
    except OSError as error:
        raise ForeignError(f"{file}: cannot be read: {(error.strerror or str(error)).lower()}") from None
    if len(content) > limit:
        raise ForeignError(f"{file}: is larger than {limit >> 10} KiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ForeignError(f"{file}: is not UTF-8 text") from None
