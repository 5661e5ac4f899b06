"""What authorisation returns."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Grant"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    user: str = ""
    """Who it was given to; "" for anybody."""
    proven: bool = True
    """Whether credentials were checked; False: it is given to everybody, or to an address."""
    expires: float | None = None
    """Unix time after which it is void; None: not by itself."""
