"""Users: how people show who they are, and how they get an account."""

from __future__ import annotations

import base64
import hmac
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import NameOID

from headgate.core.config.rooms_conf import RoomsConf, UsersMode
from headgate.rooms.facts import Facts
from headgate.rooms.participant import Nonce, Participant

__all__ = ["NONCE_AGE", "Account", "Accounts"]

NONCE_AGE = 60.0  # seconds
ACCOUNT_AGE = 372 * 86_400  # seconds; twelve months of thirty-one days
USERID_LIMIT = 256  # characters
COMBO_LIMIT = 1024
LARGEST_TIME = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A new one, with the credentials to show later."""

    userid: str
    combo: str
    secret: str
    expires: int


class Accounts:
    def __init__(self, settings: RoomsConf, *, secret: bytes, wall: Callable[[], float]) -> None:
        """`secret`: what user names are signed with."""
        self._settings = settings
        self._secret = secret
        self._wall = wall

    @property
    def enabled(self) -> bool:
        return self._settings.users.enabled

    @property
    def registration(self) -> bool:
        """Whether anybody can have an account made."""
        users = self._settings.users
        return users.enabled and users.allow_registration and users.mode is UsersMode.SHAREDSECRET

    def at_connection(self, facts: Facts) -> str:
        """The user that a proxy or a certificate names; "" where nobody does."""
        if not self.enabled:
            return ""
        match self._settings.users.mode:
            case UsersMode.HTTPHEADER:
                header = self._settings.users.httpheader_header
                return _userid(_text(facts.headers.get(header, ""))) if facts.from_proxy else ""
            case UsersMode.CERTIFICATE:
                return _userid(facts.certificate_name or self._forwarded_name(facts))
            case _:
                return ""

    def verify(self, facts: Facts, *, combo: str, secret: str) -> str:
        """The user who shows this; "" where it proves nothing."""
        if self._settings.users.mode is not UsersMode.SHAREDSECRET:
            return self.at_connection(facts)
        if not self.enabled or len(combo) > COMBO_LIMIT:
            return ""
        good = hmac.compare_digest(self._sign(combo).encode(), secret.encode())
        expires, _, rest = combo.partition(":")
        userid = _userid(rest.partition(":")[0])
        if not expires.isascii() or not expires.isdecimal() or int(expires) > LARGEST_TIME:
            return ""
        return userid if good and int(expires) >= self._wall() else ""

    def register(self) -> Account:
        userid = f"{uuid.uuid4()}@{self._settings.server_realm}"
        expires = int(self._wall()) + ACCOUNT_AGE
        combo = f"{expires}:{userid}"
        return Account(userid=userid, combo=combo, secret=self._sign(combo), expires=expires)

    def give_nonce(self, participant: Participant, userid: str, *, now: float) -> str:
        """Good once, in this session, for `NONCE_AGE`. One that was given before is void."""
        value = secrets.token_urlsafe(32)
        participant.nonce = Nonce(value, userid, now + NONCE_AGE)
        return value

    def _sign(self, combo: str) -> str:
        return base64.b64encode(hmac.digest(self._secret, combo.encode(), "sha256")).decode()

    def _forwarded_name(self, facts: Facts) -> str:
        """Of the certificate that a trusted proxy has verified."""
        users = self._settings.users
        if not facts.from_proxy or not users.certificate_verified_header:
            return ""
        if facts.headers.get(users.certificate_verified_header) != users.certificate_verified_header_value:
            return ""
        return _common_name(facts.headers.get(users.certificate_certificate_header, ""))


def _text(header: str) -> str:
    """Of a header's bytes, which are given as Latin-1: proxies write names in UTF-8, some in Latin-1."""
    try:
        return header.encode("latin-1").decode()
    except UnicodeError:
        return header


def _userid(text: str) -> str:
    return text if len(text) <= USERID_LIMIT and text.isprintable() else ""


def _common_name(header: str) -> str:
    """nginx writes the lines of a PEM certificate after one another, with spaces."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    text = header.strip()
    if not text.startswith(begin) or not text.endswith(end):
        return ""
    body = "\n".join(text[len(begin) : -len(end)].split())
    try:
        certificate = x509.load_pem_x509_certificate(f"{begin}\n{body}\n{end}\n".encode())
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except (ValueError, x509.InvalidVersion):
        return ""
    return str(names[0].value) if names else ""
