"""Who a participant is: what is public, what only they know, and what proves it later."""

from __future__ import annotations

import base64
import hmac
import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass

from headgate.rooms.sealed import Seal
from headgate.rooms.secrets import Secrets

__all__ = ["Identity", "Known", "random_name"]

ALPHABET = string.ascii_letters + string.digits
NAME_LENGTH = 11  # characters of a room's random name
SID_SIZE = 24  # random bytes; 32 characters
TOKEN_AGE = 30 * 86_400.0  # seconds
ATTESTATION_AGE = 300.0


def random_name() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(NAME_LENGTH))


@dataclass(frozen=True, slots=True)
class Known:
    """What a session token says."""

    sid: str
    userid: str


class Identity:
    """An Id is what the server's secret makes of the Sid: only who knows the Sid has that Id,
    and nothing need be remembered to tell.
    """

    def __init__(self, keys: Secrets, *, realm: str, wall: Callable[[], float]) -> None:
        self._key = keys.session
        self._user_key = keys.encryption
        self._seal = Seal(self._key)
        self._wall = wall
        self.server_token = keys.server_token
        self.realm = f"{realm}.{keys.server_token}"

    def new_sid(self) -> str:
        # One draw: everybody who connects gets one, and each is a system call.
        return secrets.token_urlsafe(SID_SIZE)

    def id_of(self, sid: str) -> str:
        """43 characters that are safe in a URL."""
        digest = hmac.digest(self._key, b"id\0" + sid.encode(), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def matches(self, id: str, sid: str) -> bool:
        return hmac.compare_digest(self.id_of(sid).encode(), id.encode())

    def secret_user_id(self, userid: str) -> str:
        """Suserid: the same for all sessions of a user, and known to them alone."""
        if not userid:
            return ""
        return base64.b64encode(hmac.digest(self._user_key, userid.encode(), "sha256")).decode()

    def token(self, *, sid: str, userid: str) -> str:
        return self._seal.seal(f"token@{self.realm}", sid, userid, now=self._wall())

    def read_token(self, text: str) -> Known | None:
        values = self._seal.open(f"token@{self.realm}", text, now=self._wall(), age=TOKEN_AGE)
        return None if values is None else Known(*values)

    def attestation(self, id: str) -> str:
        return self._seal.seal("attestation", id, now=self._wall())

    def read_attestation(self, text: str) -> str | None:
        """Whose it is."""
        values = self._seal.open("attestation", text, now=self._wall(), age=ATTESTATION_AGE)
        return None if values is None else values[0]

    def contact_token(self, asker: str, asked: str) -> str:
        """Of two user ids."""
        return self._seal.seal("contact", asker, asked, now=self._wall())

    def read_contact(self, text: str) -> tuple[str, str] | None:
        """Both user ids, the asker's first. Contacts do not end."""
        values = self._seal.open("contact", text, now=self._wall())
        return None if values is None else (values[0], values[1])
