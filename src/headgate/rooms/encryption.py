"""What HTTPS of the rooms' listener is with: a certificate, and who signs those of clients."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from headgate.core.certificate import Certificate, CertificateFiles
from headgate.core.config.rooms_conf import RoomsConf, UsersMode
from headgate.core.errors import ListenError

__all__ = ["Changing", "Encryption", "Wanted"]

SERVICE = "Rooms"


@dataclass(frozen=True, slots=True)
class Wanted:
    """As it is configured."""

    files: CertificateFiles
    clients: bool
    """Whether they may show certificates of their own."""

    @classmethod
    def of(cls, settings: RoomsConf) -> Self | None:
        if not settings.encryption:
            return None
        clients = settings.users.enabled and settings.users.mode is UsersMode.CERTIFICATE
        files = CertificateFiles(
            service=SERVICE,
            chain=settings.server_cert,
            key=settings.server_key,
            chain_name="rooms.serverCert",
            key_name="rooms.serverKey",
            authority=settings.users.certificate_certificate if clients else "",
            authority_name="rooms.users.certificateCertificate",
        )
        return cls(files, clients)

    def read(self) -> Encryption:
        """Waits for the disk. Raises ListenError."""
        certificate = self.files.read()
        try:
            return self.under(certificate)
        except ValueError as error:
            raise self.files.refused(error) from None

    def under(self, certificate: Certificate) -> Encryption:
        """With another certificate than there is in the files now. Raises ListenError, ValueError."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        _show(context, certificate)
        if self.clients:
            context.verify_mode = ssl.CERT_OPTIONAL
            if self.files.authority:
                self._believe(context, certificate.authority)
        return Encryption(self, certificate, context)

    def _believe(self, context: ssl.SSLContext, authority: bytes) -> None:
        """Raises ListenError."""
        file = _in_memory("authority", authority)
        try:
            context.load_verify_locations(_path(file))
        except (OSError, ValueError) as error:  # an SSLError is an OSError
            reason = (getattr(error, "strerror", None) or str(error)).lower()
            where = f"{self.files.authority} ({self.files.authority_name})"
            raise ListenError(f"{SERVICE}: no authority in {where}: {reason}") from None
        finally:
            os.close(file)


@dataclass(frozen=True, slots=True)
class Encryption:
    """Ready to be served. Its context does not change: it would go on showing what it had before, too, where
    the new key is of another kind.
    """

    wanted: Wanted
    certificate: Certificate
    context: ssl.SSLContext


class Changing(ssl.SSLContext):
    """What a listener is given that goes on while its encryption changes: each connection has what is current
    when it begins.
    """

    current: ssl.SSLContext

    @classmethod
    def of(cls, encryption: Encryption) -> Self:
        changing = cls(ssl.PROTOCOL_TLS_SERVER)
        changing.current = encryption.context
        return changing

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002 (as the standard library has it)
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """What event loops begin every connection with."""
        return self.current.wrap_bio(incoming, outgoing, server_side, server_hostname, session)


def _show(context: ssl.SSLContext, certificate: Certificate) -> None:
    """Exactly what was read: `ssl` takes files only, and those of the disk may be others by now.

    Raises ValueError.
    """
    chain, key = _in_memory("chain", certificate.chain), _in_memory("key", certificate.key)
    try:
        # A key with a password is none: OpenSSL would ask at the terminal.
        context.load_cert_chain(_path(chain), _path(key), password="")
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
        text = str(reason).replace("_", " ").lower()
        raise ValueError(f"the certificate and key are not usable: {text}") from None
    finally:
        os.close(chain)
        os.close(key)


def _in_memory(name: str, content: bytes) -> int:
    descriptor = os.memfd_create(name)
    with os.fdopen(descriptor, "wb", closefd=False) as file:
        file.write(content)
    return descriptor


def _path(descriptor: int) -> Path:
    return Path(f"/proc/self/fd/{descriptor}")
