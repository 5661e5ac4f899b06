"""Listeners of RTSP and RTSPS: opened, served otherwise where they are, and closed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from headgate.core.certificate import Certificate
from headgate.core.config import GlobalConf
from headgate.core.service import Service
from headgate.engine import EngineLoop, Handler, Listen
from headgate.media.rtsp.binding import bind
from headgate.media.rtsp.descriptors import connection_limit
from headgate.media.rtsp.wanted import WantedListener

__all__ = ["Listeners", "Opened", "Running"]

LINGER = 5.0
"""Seconds in which whom a listener had accepted when it was closed may still be told of."""


@dataclass(frozen=True, slots=True)
class Opened:
    wanted: WantedListener
    listen: Listen
    """As it is served now, the port bound."""
    handle: int
    certificate: Certificate | None

    def is_where(self, wanted: WantedListener) -> bool:
        """Whether it listens where that one is wanted: the same words, or the very address that was bound."""
        bound = (self.listen.host, self.listen.port)
        return wanted.address == self.wanted.address or (wanted.where.host, wanted.where.port) == bound


@dataclass(frozen=True, slots=True)
class Running:
    """A service that takes clients."""

    service: Service
    accept: Handler
    opened: Opened


class Listeners:
    """Which there are, its caller knows."""

    def __init__(self, loop: EngineLoop) -> None:
        self._loop = loop

    def open(
        self,
        wanted: WantedListener,
        certificate: Certificate | None,
        settings: GlobalConf,
        *,
        beside: Opened | None = None,
    ) -> Opened:
        """`beside`: a listener of ours that may have its port. Raises ListenError."""
        where = wanted.where
        listen = replace(wanted.arguments(certificate), connection_limit=connection_limit(settings))
        if beside is not None and beside.listen.port == where.port:
            listen = replace(listen, beside=beside.handle)

        def open_at(host: str) -> Opened:
            try:
                handle, port = self._loop.engine.listen(replace(listen, host=host))
            except ValueError as error:
                if wanted.certificate is None:
                    raise
                raise wanted.certificate.refused(error) from None
            return Opened(wanted, replace(listen, host=host, port=port, beside=None), handle, certificate)

        return bind(open_at, where, service=wanted.service, key=wanted.key)

    def tuned(
        self, wanted: WantedListener, certificate: Certificate | None, settings: GlobalConf, *, opened: Opened
    ) -> Opened:
        """What `retune` makes of the one that is open. Raises ListenError when it could not be served so."""
        listen = replace(
            wanted.arguments(certificate),
            host=opened.listen.host,
            port=opened.listen.port,
            connection_limit=connection_limit(settings),
        )
        if wanted.certificate is not None and listen.tls is not None:
            try:
                self._loop.engine.check_tls(listen.tls)
            except ValueError as error:
                raise wanted.certificate.refused(error) from None
        return Opened(wanted, listen, opened.handle, certificate)

    def retune(self, opened: Opened) -> None:
        """Serve those who come from now on so. Raises ValueError for TLS that is none."""
        self._loop.engine.retune(opened.handle, opened.listen)

    def attach(self, opened: Opened, accept: Handler) -> None:
        """Let it take clients."""
        self._loop.attach(opened.handle, accept)

    def close(self, opened: Opened) -> None:
        self._loop.engine.close(opened.handle)
        self._loop.detach(opened.handle)

    def leave(self, opened: Opened) -> None:
        """Another has taken its place: whom it had accepted already is a client like any other."""
        self._loop.engine.close(opened.handle)
        asyncio.get_running_loop().call_later(LINGER, self._loop.detach, opened.handle)
