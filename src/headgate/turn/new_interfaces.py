"""The interfaces of a configuration that is not in force yet: opened beside those that serve."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Self

from headgate.core.certificate import Certificate
from headgate.core.config.turn_conf import TurnConf, TurnInterface
from headgate.core.errors import ListenError
from headgate.engine import Engine
from headgate.turn.listeners import Opened, certificate_of, check, files_of, open_listener

__all__ = ["NewInterfaces"]

Follow = Callable[[TurnConf, list[Opened], list[Opened]], None]
"""Told the settings, the listeners that there are now, and those of before that are not among them."""


class NewInterfaces:
    """Listeners that stay as they are go on, and with them their clients."""

    def __init__(
        self, engine: Engine, settings: TurnConf, *, present: Sequence[Opened], follow: Follow
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._present = present
        self._follow = follow
        self._kept: list[Opened] = []
        self._opened: list[Opened] = []
        self._new: list[Opened] = []

    def open(self) -> Self:
        """Raises ListenError."""
        present, engine = list(self._present), self._engine
        try:
            for interface in self._settings.interfaces:
                place = (interface.transport, interface.bind)
                same = next((one for one in present if one.place == place), None)
                if same is not None:
                    present.remove(same)
                    certificate = _certificate(same, interface)
                    check(engine, interface, certificate)
                    kept = replace(same, interface=interface, certificate=certificate)
                    self._kept.append(kept)
                    self._opened.append(kept)
                else:
                    opened = open_listener(engine, interface, self._settings)
                    self._new.append(opened)
                    self._opened.append(opened)
        except ListenError:
            self._close()
            raise
        return self

    def commit(self) -> None:
        for opened in self._kept:
            opened.retune(self._engine, self._settings)
        handles = {one.handle for one in self._opened}
        gone = [one for one in self._present if one.handle not in handles]
        self._follow(self._settings, self._opened, gone)

    async def rollback(self) -> None:
        self._close()

    def _close(self) -> None:
        for opened in self._new:
            self._engine.close(opened.handle)


def _certificate(same: Opened, interface: TurnInterface) -> Certificate | None:
    """The one that is shown, where it is of the same files: those are followed anyway. Raises ListenError."""
    return same.certificate if files_of(same.interface) == files_of(interface) else certificate_of(interface)
