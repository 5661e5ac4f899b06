"""Credentials for the TURN relay, for those who send clients there: the API, rooms, WebRTC."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["MintRelayCredential", "RelayCredential"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayCredential:
    """What a browser's RTCIceServer takes."""

    name: str
    password: str = field(repr=False)
    ttl: float
    """Seconds from when it was made."""
    urls: tuple[str, ...]
    """"turn:host:port?transport=udp" …; empty where the server does not know how clients reach it."""


class MintRelayCredential(Protocol):
    def __call__(self, *, user: str, ttl: float) -> RelayCredential:
        """A credential for `ttl` seconds. `user` is shown to operators, and quotas count for it.

        Raises Refused when there is no relay or no secret, ValueError for a name that cannot be one.
        """
