"""The rooms wing as one part of the server: its listener, its hub, and how both follow the configuration."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from headgate.core.auth.throttle import Throttle
from headgate.core.certificate import Certificate
from headgate.core.config.change import Change, Prepared
from headgate.core.config.rooms_conf import RoomsConf
from headgate.core.registry import Registry
from headgate.core.relay_credentials import MintRelayCredential
from headgate.core.renewal import Renewal
from headgate.core.service import Endpoint, Protocol, Service
from headgate.core.session import CloseReason
from headgate.rooms.accounts import Accounts
from headgate.rooms.decoding import Decoding
from headgate.rooms.directory import HubDirectory
from headgate.rooms.door import RoomsDoor
from headgate.rooms.encryption import Encryption, Wanted
from headgate.rooms.hub import Hub
from headgate.rooms.identity import Identity
from headgate.rooms.pictures import Pictures
from headgate.rooms.rest.app import RoomsApp
from headgate.rooms.rest.codes import Codes
from headgate.rooms.rest.page import Files
from headgate.rooms.rest.wing import Wing
from headgate.rooms.secrets import Secrets
from headgate.rooms.site import Listening, Served

__all__ = ["SERVICE", "RoomsServer"]

logger = logging.getLogger(__name__)

SERVICE = "Rooms"
ROUTER = "rooms"
TICK = 1.0  # seconds between looks at what has lasted long enough


class RoomsServer:
    """`open`, then enter it: what can fail is over when the first task is there to be cancelled."""

    def __init__(
        self,
        *,
        registry: Registry,
        settings: RoomsConf,
        state: Path | None,
        version: str,
        mint: MintRelayCredential | None = None,
    ) -> None:
        """`state`: the directory for what must be the same after a restart; None: nothing is kept."""
        self._registry = registry
        self._made = Secrets.made(state)
        self._service: Service | None = None
        self._listening: Listening | None = None
        self._served: Served | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self.renewal = Renewal(bus=registry.bus, take=self._take)
        self._own_tasks: list[asyncio.Task[None]] = []
        self._decoding = Decoding()
        secrets = self._made.under(settings)
        self.hub = Hub(
            registry=registry,
            service=self._running,
            settings=settings,
            identity=Identity(secrets, realm=settings.server_realm, wall=time.time),
            pictures=Pictures(self._decoding.submit),
            mint=mint,
            now=time.monotonic,
            wall=time.time,
            version=version,
        )
        self.door = RoomsDoor(self.hub, Accounts(settings, secret=secrets.users, wall=time.time))
        self._guesses = Throttle()
        self._app = RoomsApp(self._wing(settings), Files())
        self.directory = HubDirectory(lambda: self.hub, lambda: self.door)

    @property
    def endpoint(self) -> Endpoint | None:
        """None where there are no rooms; the last one, once all is over."""
        return None if self._listening is None else self._listening.endpoint

    @property
    def url(self) -> str | None:
        """Where the page is, on this machine."""
        if self._listening is None:
            return None
        scheme = "https" if self._listening.encryption is not None else "http"
        return f"{scheme}://localhost:{self._listening.endpoint.port}{self.hub.settings.base_path}"

    def open(self) -> None:
        """Raises ListenError."""
        settings = self.hub.settings
        if not settings.address:
            return
        wanted = Wanted.of(settings)
        encryption = wanted.read() if wanted is not None else None
        if encryption is not None and (trouble := encryption.certificate.trouble(datetime.now(UTC))):
            logger.warning("%s: %s; it is served all the same", SERVICE, trouble)
        self._listening = Listening.open(settings.address, encryption)

    def abandon(self) -> None:
        """What `open` opened, where it was never served."""
        if self._listening is not None:
            self._listening.close()

    async def __aenter__(self) -> Self:
        self._tasks = asyncio.TaskGroup()
        await self._tasks.__aenter__()
        self._own_tasks = [
            self._tasks.create_task(self._tick()),
            self._tasks.create_task(self._decoding.run()),
        ]
        self._serve()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self.renewal.stop()
        if self._served is not None:
            self._served.stop()
        for task in self._own_tasks:
            task.cancel()
        tasks, self._tasks = self._tasks, None  # nothing is served again
        if tasks is not None:
            await tasks.__aexit__(None, None, None)

    def close(self) -> None:
        """Say goodbye to everybody. Once is enough."""
        for participant in list(self.hub.people.values()):
            self._registry.close(participant, CloseReason.SHUTDOWN)

    # A new configuration

    async def prepare(self, change: Change) -> Prepared | None:
        """Raises ListenError; a listener that stays as it is goes on, and with it everybody."""
        if not change.concerns("rooms") or self._registry.draining:
            return None
        new = change.new.own.rooms
        secrets = self._made.under(new)
        if not new.address:
            return NewRooms(self, new, secrets, stays=False)
        wanted = Wanted.of(new)
        served = self._encryption
        is_other = wanted != (served.wanted if served is not None else None)
        if is_other:
            served = await self._read(wanted)
        present = self._listening
        if present is None or present.address != new.address:
            opened = Listening.open(new.address, served, beside=present)
        elif (served is None) != (present.encryption is None):
            opened = present.under(served)
        else:
            return NewRooms(self, new, secrets, stays=True, encryption=served if is_other else None)
        return NewRooms(self, new, secrets, stays=False, opened=opened)

    @staticmethod
    async def _read(wanted: Wanted | None) -> Encryption | None:
        """Raises ListenError, also for a certificate that nobody would believe: one is served already."""
        if wanted is None:
            return None
        encryption = await asyncio.to_thread(wanted.read)
        if trouble := encryption.certificate.trouble(datetime.now(UTC)):
            raise wanted.files.refused(trouble)
        return encryption

    def follow(self, settings: RoomsConf, secrets: Secrets) -> None:
        """Go over to new settings. Tokens hold as long as what they are made with stays."""
        self.hub.settings = settings
        self.hub.identity = Identity(secrets, realm=settings.server_realm, wall=time.time)
        self.door.accounts = Accounts(settings, secret=secrets.users, wall=time.time)
        self._app.wing = self._wing(settings)

    def show(self, encryption: Encryption) -> None:
        """To those who connect from now on."""
        if self._listening is not None:
            self._listening.show(encryption)
        self._follow_files()

    def move(self, listening: Listening | None) -> None:
        """Serve there, and not where it was; None: there are no rooms any more."""
        if self._served is not None:
            self._served.stop()
        self._listening = listening
        if listening is None:
            for participant in list(self.hub.people.values()):
                self._registry.close(participant, CloseReason.RECONFIGURED)
        self._serve()

    def _take(self, certificate: Certificate) -> None:
        """Show it to those who connect from now on. Raises ListenError, ValueError when it is of no use."""
        present = self._listening
        if present is None or present.encryption is None or self._tasks is None:
            return  # switched off meanwhile
        present.show(present.encryption.wanted.under(certificate))

    def _wing(self, settings: RoomsConf) -> Wing:
        return Wing(
            hub=self.hub,
            accounts=self.door.accounts,
            codes=Codes(settings.token_file),
            guesses=self._guesses,
            started=datetime.now(UTC),
        )

    @property
    def _encryption(self) -> Encryption | None:
        return self._listening.encryption if self._listening is not None else None

    def _follow_files(self) -> None:
        encryption = self._encryption
        if self._tasks is not None:
            files = encryption.wanted.files if encryption is not None else None
            present = encryption.certificate if encryption is not None else None
            self.renewal.follow(files, present, tasks=self._tasks)

    def _serve(self) -> None:
        self._follow_files()
        listening, self._served = self._listening, None
        if listening is None:
            if self._service is not None:
                self._registry.remove_service(self._service)
                self._service = None
            return
        if self._tasks is not None:
            self._served = Served(listening, self._app, self.door, tasks=self._tasks)
        endpoints = [(listening.endpoint, listening.transport)]
        if self._service is not None:
            self._registry.move_service(self._service, endpoints)
            return
        self._service = Service(
            name=SERVICE, protocol=Protocol.ROOMS, router=ROUTER, started=datetime.now(UTC)
        )
        self._registry.add_service(self._service, endpoints)

    def _running(self) -> Service:
        if self._service is None:
            raise RuntimeError("somebody connects, and there is no listener")
        return self._service

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            try:
                self.hub.expire()
            except Exception:
                # Whatever was not looked at now is a second later.
                logger.exception("a bug while looking at what has lasted long enough")


@dataclass(frozen=True, slots=True)
class NewRooms:
    server: RoomsServer
    settings: RoomsConf
    secrets: Secrets
    stays: bool
    """The listener does, with other `encryption` where there is some."""
    encryption: Encryption | None = None
    opened: Listening | None = None

    def commit(self) -> None:
        self.server.follow(self.settings, self.secrets)
        if not self.stays:
            self.server.move(self.opened)
        elif self.encryption is not None:
            self.server.show(self.encryption)

    async def rollback(self) -> None:
        if self.opened is not None:
            self.opened.close()
