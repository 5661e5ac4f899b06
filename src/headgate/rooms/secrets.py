"""What tokens and ids are made with: as configured, else made once and kept in the state directory."""

from __future__ import annotations

import json
import logging
import secrets
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Self

from headgate.core.config.rooms_conf import RoomsConf
from headgate.core.kept_file import keep_once

__all__ = ["FILE", "Secrets"]

logger = logging.getLogger(__name__)

FILE = "rooms-secrets.json"
SIZE = 32  # random bytes
LONGEST = 16_384  # bytes of the file


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Secrets:
    session: bytes
    encryption: bytes
    users: bytes
    """The shared secret of user names."""
    server_token: str
    """No secret: it is in the configuration document that everybody may read."""

    @classmethod
    def of(cls, settings: RoomsConf, *, directory: Path | None) -> Self:
        """`directory`: where they are kept; None: those that are made are for this run."""
        return cls.made(directory).under(settings)

    @classmethod
    def made(cls, directory: Path | None) -> Self:
        """Those of no configuration."""
        made = _made(directory)
        return cls(
            session=made["session"].encode(),
            encryption=made["encryption"].encode(),
            users=made["users"].encode(),
            server_token=made["server_token"],
        )

    def under(self, settings: RoomsConf) -> Self:
        """With the configured ones in their places."""
        return replace(
            self,
            session=settings.session_secret.get_secret_value().encode() or self.session,
            encryption=settings.encryption_secret.get_secret_value().encode() or self.encryption,
            users=settings.users.sharedsecret_secret.get_secret_value().encode() or self.users,
            server_token=settings.server_token or self.server_token,
        )


def _made(directory: Path | None) -> dict[str, str]:
    made = {field.name: secrets.token_urlsafe(SIZE) for field in fields(Secrets)}
    if directory is None:
        return made
    path = directory / FILE
    try:
        return _read(keep_once(path, json.dumps(made), limit=LONGEST))
    except (OSError, ValueError) as error:
        logger.warning("%s: %s; tokens made now end with this server", path, error)
    return made


def _read(text: str) -> dict[str, str]:
    """Raises ValueError: it is not what we wrote."""
    document = json.loads(text)
    names = [field.name for field in fields(Secrets)]
    if not isinstance(document, dict) or any(not isinstance(document.get(name), str) for name in names):
        raise ValueError("there are no secrets in it")
    if any(len(document[name]) < SIZE for name in names):
        raise ValueError("a secret in it is too short")
    return {name: document[name] for name in names}
