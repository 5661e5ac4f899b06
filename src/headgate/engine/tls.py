"""TLS, at either end of a connection."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ClientTls", "Tls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """A certificate chain and its private key, both PEM."""

    certificate_pem: bytes
    key_pem: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTls:
    """TLS of a connection that we make."""

    server_name: str
    """A host name or an IP literal: what the certificate must be for."""
    fingerprint: bytes | None = None
    """SHA-256 of the one certificate to believe; None: those of the system's authorities."""
