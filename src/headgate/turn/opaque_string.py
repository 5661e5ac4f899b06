"""User names, realms and passwords in one form (RFC 8265 4.2, OpaqueString)."""

from __future__ import annotations

import unicodedata

__all__ = ["LONGEST_NAME", "opaque_string"]

LONGEST_NAME = 508  # bytes of UTF-8: RFC 8489 14.3, "less than 509"

REFUSED = frozenset({"Cc", "Cs", "Cn", "Co", "Cf", "Zl", "Zp"})
"""Control characters, surrogates, what is not assigned or private, and what cannot be seen."""


def opaque_string(text: str) -> str:
    """The text with every space U+0020, composed (NFC). Raises ValueError for what no name may contain.

    ASCII, which is nearly every name, is checked at C speed and stays as it is.
    """
    if text.isascii():
        if not text or not text.isprintable():
            raise ValueError("a name is not empty and has no control characters")
        return text
    text = unicodedata.normalize("NFC", "".join(" " if unicodedata.category(c) == "Zs" else c for c in text))
    for character in text:
        if unicodedata.category(character) in REFUSED:
            raise ValueError(f"a name has no character U+{ord(character):04X}")
    return text
