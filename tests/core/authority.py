"""A certificate authority of the tests."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from headgate.core.certificate import CertificateFiles
from headgate.core.service import Endpoint

__all__ = ["Authority", "Pair", "files_in"]

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    chain: bytes
    key: bytes
    serial: int

    def write(self, directory: Path) -> None:
        """In place, one after the other, as most programs do."""
        (directory / "server.crt").write_bytes(self.chain)
        (directory / "server.key").write_bytes(self.key)

    def replace(self, directory: Path) -> None:
        """Whole files in the place of the old ones, as careful programs do."""
        for name, content in (("server.crt", self.chain), ("server.key", self.key)):
            beside = directory / f".{name}"
            beside.write_bytes(content)
            beside.replace(directory / name)


class Authority:
    """Signs for 127.0.0.1."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named("the tests' authority")
        begin, end = datetime.now(UTC) - DAY, datetime.now(UTC) + DAY
        self._certificate = (
            _certificate(self._name, self._name, self._key.public_key(), begin, end)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def issue(
        self,
        *,
        not_before: timedelta = -DAY / 2,
        not_after: timedelta = DAY / 2,
        key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
    ) -> Pair:
        """From now. `key`: None: one of P-256."""
        key, now = key or ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        local = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        certificate = (
            _certificate(_named("127.0.0.1"), self._name, key.public_key(), now + not_before, now + not_after)
            .add_extension(x509.SubjectAlternativeName([local]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        form = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return Pair(
            certificate.public_bytes(serialization.Encoding.PEM),
            key.private_bytes(serialization.Encoding.PEM, *form),
            certificate.serial_number,
        )

    def context(self) -> ssl.SSLContext:
        """Of a client that believes this authority and nobody else."""
        return ssl.create_default_context(cadata=self.pem.decode())

    async def shown_at(self, where: Endpoint) -> int:
        """The serial number of what a new client is shown there."""
        _, writer = await asyncio.open_connection(where.host, where.port, ssl=self.context())
        try:
            secured: ssl.SSLObject = writer.get_extra_info("ssl_object")
            return x509.load_der_x509_certificate(secured.getpeercert(binary_form=True) or b"").serial_number
        finally:
            writer.close()

    @property
    def pem(self) -> bytes:
        """Its own certificate, for who is to believe it."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)


def files_in(directory: Path) -> CertificateFiles:
    return CertificateFiles(
        service="RTSPS",
        chain=str(directory / "server.crt"),
        key=str(directory / "server.key"),
        chain_name="rtspServerCert",
        key_name="rtspServerKey",
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    not_before: datetime,
    not_after: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )
