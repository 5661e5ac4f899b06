"""What a server shows who it is with: a certificate chain and its private key, each from a file."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Self

from headgate.core.errors import ListenError
from headgate.engine import Tls

__all__ = ["Certificate", "CertificateFiles"]

SIZE_LIMIT = 1 << 20
"""Bytes of one file; a long chain has ten thousand."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM, as the files have it. Whether key and certificate belong together, the engine says."""

    chain: bytes
    key: bytes = field(repr=False)
    not_before: datetime = field(compare=False)
    not_after: datetime = field(compare=False)
    authority: bytes = field(default=b"", repr=False)
    """Who signs those that clients show, where they may; PEM."""

    @classmethod
    def parse(cls, chain: bytes, key: bytes) -> Self:
        """Raises ValueError when the chain does not begin with a whole certificate."""
        from cryptography import x509  # 0.1 s, for those only who have TLS

        try:
            leaf = x509.load_pem_x509_certificate(chain)
        except x509.InvalidVersion as error:
            raise ValueError(str(error)) from None
        return cls(chain, key, leaf.not_valid_before_utc, leaf.not_valid_after_utc)

    @property
    def tls(self) -> Tls:
        """For a listener of the engine."""
        return Tls(certificate_pem=self.chain, key_pem=self.key)

    def trouble(self, now: datetime) -> str | None:
        """Why clients will not believe it, as far as its time goes. An authority's own end is theirs to
        judge: an expired cross-signature at the end of a chain does no harm.
        """
        if now > self.not_after:
            return f"the certificate has expired on {self.not_after:%Y-%m-%d %H:%M} UTC"
        if now < self.not_before:
            return f"the certificate is not valid before {self.not_before:%Y-%m-%d %H:%M} UTC"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFiles:
    service: str
    chain: str
    key: str
    chain_name: str
    """The configuration's key for it, for who has to put it right."""
    key_name: str
    authority: str = ""
    """Empty: clients are not asked for certificates, or nobody signs them."""
    authority_name: str = ""

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(Path(file) for file in (self.chain, self.key, self.authority) if file)

    def read(self) -> Certificate:
        """Waits for the disk. Raises ListenError."""
        chain = self._content(self.chain, self.chain_name)
        key = self._content(self.key, self.key_name)
        authority = self._content(self.authority, self.authority_name) if self.authority else b""
        try:
            return replace(Certificate.parse(chain, key), authority=authority)
        except ValueError:
            text = f"{self.service}: no certificate in {self.chain} ({self.chain_name})"
            raise ListenError(text) from None

    def refused(self, reason: object) -> ListenError:
        """For a pair that was read and is of no use."""
        return ListenError(f"{self.service}: {reason} ({self.chain_name}, {self.key_name})")

    def _content(self, file: str, name: str) -> bytes:
        try:
            with Path(file).open("rb") as opened:
                content = opened.read(SIZE_LIMIT + 1)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ListenError(f"{self.service}: cannot read {file} ({name}): {reason}") from None
        if len(content) > SIZE_LIMIT:
            raise ListenError(f"{self.service}: {file} ({name}) is larger than {SIZE_LIMIT} bytes")
        return content
