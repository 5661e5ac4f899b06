"""What the RTSP server opened for a configuration that is not in force yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from headgate.core.certificate import Certificate
from headgate.core.config import GlobalConf
from headgate.core.service import Protocol
from headgate.media.rtsp.listeners import Listeners, Opened, Running
from headgate.media.rtsp.udp_ports import UdpPairs, UdpPorts
from headgate.media.rtsp.wanted import Wanted, WantedListener

__all__ = ["NewListeners"]


class NewListeners:
    """`open` it; then one of `commit` and `rollback` follows."""

    def __init__(
        self,
        settings: GlobalConf,
        *,
        before: GlobalConf,
        running: Mapping[Protocol, Running],
        listeners: Listeners,
        pairs: UdpPairs,
        serve: Callable[[NewListeners], None],
    ) -> None:
        """`serve` goes over to them."""
        self.settings = settings
        self.wanted = Wanted.of(settings)
        self.opened: dict[Protocol, Opened] = {}
        self.tuned: dict[Protocol, Opened] = {}
        """They stay where they are, and serve who comes otherwise."""
        self.udp: UdpPorts | None = None
        """None: those of before, or none."""
        self._before = Wanted.of(before)
        self._running = running
        self._listeners = listeners
        self._pairs = pairs
        self._serve = serve

    async def open(self) -> None:
        """Raises ListenError."""
        if self.wanted.udp and self.wanted.udp != self._before.udp:
            self.udp = self._pairs.open(self.settings)
        for protocol, wanted in self.wanted.listeners.items():
            running = self._running.get(protocol)
            certificate = await self._certificate(wanted, running)
            if running is not None and running.opened.is_where(wanted):
                self.tuned[protocol] = self._listeners.tuned(
                    wanted, certificate, self.settings, opened=running.opened
                )
                continue
            beside = running.opened if running else None
            opened = self._listeners.open(wanted, certificate, self.settings, beside=beside)
            self.opened[protocol] = opened
            if running is not None:
                self._listeners.attach(opened, running.accept)

    async def _certificate(self, wanted: WantedListener, running: Running | None) -> Certificate | None:
        """The one that is served, where it is of the same files: they are followed anyway, and a change of
        something else does not fail because of them. Raises ListenError.
        """
        if wanted.certificate is None:
            return None
        if running is not None and running.opened.wanted.certificate == wanted.certificate:
            return running.opened.certificate
        certificate = await asyncio.to_thread(wanted.certificate.read)
        if trouble := certificate.trouble(datetime.now(UTC)):
            raise wanted.certificate.refused(trouble)
        return certificate

    async def rollback(self) -> None:
        self.close()

    def close(self) -> None:
        """Nobody wants them."""
        for opened in self.opened.values():
            self._listeners.close(opened)
        if self.udp is not None:
            self._pairs.close_unused(self.udp)

    def commit(self) -> None:
        self._serve(self)
