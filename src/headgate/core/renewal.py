"""A certificate whose files change under a server that runs: the new one is taken when it is good."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from headgate.core.certificate import Certificate, CertificateFiles
from headgate.core.config import file_watch
from headgate.core.errors import ListenError
from headgate.core.events import Bus, CertificateRefused, CertificateRenewed

__all__ = ["Renewal"]

logger = logging.getLogger(__name__)


class Renewal:
    """Of one service. `follow` says what is served; from then on its files are watched, until it says None.

    What is not good is left alone: the service goes on with what it has, and says so. Key and certificate
    may be written one after the other: they are read when both have come to rest.
    """

    def __init__(
        self,
        *,
        bus: Bus,
        take: Callable[[Certificate], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`take` serves a certificate from now on, or goes on with the one before and raises ListenError or
        ValueError.
        """
        self._bus = bus
        self._take = take
        self._now = now
        self._files: CertificateFiles | None = None
        self._looking = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None
        self.present: Certificate | None = None
        """What is served; None where no TLS is."""
        self.renewed = 0
        self.refused = 0

    @property
    def service(self) -> str:
        return self._files.service if self._files else ""

    def follow(
        self, files: CertificateFiles | None, present: Certificate | None, *, tasks: asyncio.TaskGroup
    ) -> None:
        """`present` was read from `files`."""
        # Another than was served may have been read before that one, and then nothing changes any more.
        is_same = files == self._files and present == self.present
        self.present = present
        if is_same:
            return
        self._files = files
        if self._watching is not None:
            self._watching.cancel()
            self._watching = None
        if files is not None:
            self._watching = tasks.create_task(self._watch(files))

    def stop(self) -> None:
        if self._watching is not None:
            self._watching.cancel()

    async def look(self) -> None:
        """Read the files now, and take what is new and good."""
        async with self._looking:
            if (files := self._files) is None:
                return
            try:
                certificate = await asyncio.to_thread(files.read)
                if files != self._files or certificate == self.present:
                    return
                if trouble := certificate.trouble(self._now()):
                    raise files.refused(trouble)
                self._take(certificate)
            except (ListenError, ValueError) as error:
                told = error if isinstance(error, ListenError) else files.refused(error)
                self.refused += 1
                logger.warning("%s; the certificate stays as it is", told)
                self._bus.publish(CertificateRefused(service=files.service, mistake=str(told)))
                return
            self.present = certificate
            self.renewed += 1
            until = certificate.not_after.isoformat()
            logger.info("%s: a new certificate, until %s", files.service, until)
            self._bus.publish(CertificateRenewed(service=files.service, not_after=until))

    async def _watch(self, files: CertificateFiles) -> None:
        await file_watch.watch_files(
            files.paths,
            self._look,
            interval=file_watch.POLL_INTERVAL,
            rest=file_watch.REST,
            at_once=True,
        )

    async def _look(self) -> None:
        try:
            await self.look()
        except Exception:
            # Of a certificate that nobody has thought of: the service has one, and goes on.
            logger.exception("a bug while reading the certificate of %s", self.service)
