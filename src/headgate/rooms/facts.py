"""What a request says of who sent it; a proxy's headers only where the proxy is trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from starlette.datastructures import Headers
from starlette.types import Scope

from headgate.core.config.rooms_conf import RoomsConf
from headgate.core.proxies import client_address, is_in
from headgate.core.service import Endpoint

__all__ = ["Facts"]

ANY_ORIGIN = "*"
DEFAULT_PORTS = {"http": ":80", "https": ":443"}
HOST_LIMIT = 255
CERTIFICATE_NAME = "certificate_name"
"""Where the connection keeps the name in its client's certificate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    client: str
    """The IP address it comes from, through trusted proxies."""
    port: int
    local: Endpoint
    scheme: str
    host: str
    """As the client wrote it, with its port; "" where that is nothing sensible."""
    from_proxy: bool
    """It comes from a trusted one, so that its other headers may be believed."""
    certificate_name: str
    headers: Headers

    @classmethod
    def of(cls, scope: Scope, settings: RoomsConf) -> Self:
        headers = Headers(scope=scope)
        peer, port = scope.get("client") or ("", 0)
        host, local_port = scope.get("server") or ("", 0)
        trusted = settings.trusted_proxies
        from_proxy = is_in(peer, trusted)
        forwarded = headers if from_proxy else Headers({})
        scheme = (_first(forwarded, "x-forwarded-proto") or scope["scheme"]).lower()
        name = _first(forwarded, "x-forwarded-host") or headers.get("host", "")
        return cls(
            client=client_address(peer, forwarded=headers.getlist("x-forwarded-for"), trusted=trusted),
            port=port,
            local=Endpoint(host, local_port or 0),
            scheme="https" if scheme in {"https", "wss"} else "http",
            host=name.lower() if _is_host(name) else "",
            from_proxy=from_proxy,
            certificate_name=scope.get("state", {}).get(CERTIFICATE_NAME, ""),
            headers=headers,
        )

    @property
    def address(self) -> str:
        """`https://example.org`, without a path."""
        return f"{self.scheme}://{self.host or self.local}"

    @property
    def hostname(self) -> str:
        """Without its port."""
        name, bracket, _ = self.host.rpartition("]")
        return name + bracket if bracket else self.host.partition(":")[0]

    def may_connect(self, allowed: Sequence[str]) -> bool:
        """Whether the page that asks is ours, or one of an allowed site. No browser: no Origin."""
        origins = self.headers.getlist("origin")
        if not origins:
            return True
        if ANY_ORIGIN in allowed:
            return True
        if len(origins) != 1:
            return False
        origin = origins[0].lower()
        scheme, mark, place = origin.partition("://")
        if not mark:
            return False
        default = DEFAULT_PORTS.get(scheme, "")
        ours = bool(self.host) and place.removesuffix(default) == self.host.removesuffix(default)
        return (ours and scheme in DEFAULT_PORTS) or origin in allowed


def _first(headers: Headers, name: str) -> str:
    """Where each proxy of several has added what it was asked: what the client has asked the outermost."""
    return headers.get(name, "").partition(",")[0].strip()


def _is_host(name: str) -> bool:
    return 0 < len(name) <= HOST_LIMIT and all(
        char.isascii() and (char.isalnum() or char in ".-:[]_") for char in name
    )
