"""Building messages. The engine writes them; what is in them is decided by who adds it."""

from __future__ import annotations

from headgate.engine import StunAnswer as Answer

__all__ = ["Answer"]
