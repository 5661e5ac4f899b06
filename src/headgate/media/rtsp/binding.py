"""An address of the configuration, bound for RTSP."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from headgate.core import binding
from headgate.core.config import ListenAddress

__all__ = ["bind"]

T = TypeVar("T")


def bind(open_at: Callable[[str], T], where: ListenAddress, *, service: str, key: str) -> T:
    """As `core.binding`: `key` is where the configuration has the address. Raises ListenError."""
    shown = f"[{where.host}]:{where.port}" if ":" in where.host else f"{where.host}:{where.port}"
    mistake = f"{service}: cannot listen on {shown.removeprefix('[::]')} ({key})"
    return binding.bind(open_at, where.host, mistake=mistake)
