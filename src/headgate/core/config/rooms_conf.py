"""The section `rooms`: people who meet in a browser."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, SecretStr, model_validator

from headgate.core.config.choices import Choice
from headgate.core.config.durations import Duration
from headgate.core.config.networks import ListenAddress, Networks
from headgate.core.config.path_names import PathPattern
from headgate.core.config.scalars import Natural, Switch
from headgate.core.config.section import Section, key

__all__ = ["ROOM_LIMIT", "RoomsConf", "RoomsModules", "RoomsUsers", "UsersMode"]

SHORTEST_SECRET = 16  # characters
ROOM_LIMIT = 5000
"""A list of users had no more in the old server either."""
BASE_PATH = re.compile(r"/(?:(?!\.{1,2}/)[A-Za-z0-9._~-]+/)*")
HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]*")  # RFC 9110 5.6.2
ORIGIN = re.compile(r"\*|https?://[A-Za-z0-9.:\[\]-]+")
ICE_URI = re.compile(r"(?:stun|stuns|turn|turns):[^\s]+")


class UsersMode(Choice):
    """How people show who they are."""

    __complaint__ = "invalid users mode: '{}'"
    NONE = ""
    SHAREDSECRET = "sharedsecret"
    HTTPHEADER = "httpheader"
    CERTIFICATE = "certificate"


def _address(text: str) -> str:
    if text:
        ListenAddress.parse(text)
    return text


def _base_path(text: str) -> str:
    path = text if text.endswith("/") else text + "/"
    if BASE_PATH.fullmatch(path) is None:
        raise ValueError(
            "a base path begins with a slash, and has letters, digits and . _ ~ - between slashes"
        )
    return path


def _header(text: str) -> str:
    if HEADER.fullmatch(text) is None:
        raise ValueError(f"'{text[:64]}' is no name of an HTTP header")
    return text.lower()


def _origin(text: str) -> str:
    if ORIGIN.fullmatch(text.lower()) is None:
        raise ValueError(f"'{text[:64]}' is no origin: https://example.org, or * for every one")
    return text.lower()


def _ice_uri(text: str) -> str:
    if ICE_URI.fullmatch(text) is None:
        raise ValueError(
            f"'{text[:64]}' is no URI of a STUN or TURN server: turn:example.org:3478?transport=udp"
        )
    return text


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be one line, without control characters")
    return text


def _secret(value: SecretStr) -> SecretStr:
    if 0 < len(value.get_secret_value()) < SHORTEST_SECRET:
        raise ValueError(f"must have at least {SHORTEST_SECRET} characters")
    return value


def _expression(text: str) -> str:
    PathPattern.compile(f"~{text}")
    return text


Secret = Annotated[SecretStr, AfterValidator(_secret)]
Header = Annotated[str, AfterValidator(_header)]
Line = Annotated[str, AfterValidator(_one_line)]
IceUri = Annotated[str, AfterValidator(_ice_uri)]
EMPTY = SecretStr("")


class RoomsUsers(Section):
    enabled: Switch = key("enabled", "whether people can have accounts", default=False)
    mode: UsersMode = key("mode", "how they show who they are", default=UsersMode.NONE)
    sharedsecret_secret: Secret = key(
        "sharedsecretSecret",
        "sharedsecret: what user names are signed with; empty: one is made",
        default=EMPTY,
    )
    httpheader_header: Header = key(
        "httpheaderHeader", "httpheader: what the proxy names the user in", default="x-users"
    )
    certificate_certificate: str = key(
        "certificateCertificate", "certificate: who signs client certificates (PEM file)", default=""
    )
    certificate_verified_header: Header = key(
        "certificateVerifiedHeader",
        "certificate: how a proxy says that it has verified the certificate",
        default="",
    )
    certificate_verified_header_value: Line = key(
        "certificateVerifiedHeaderValue", "certificate: what that header says then", default=""
    )
    certificate_certificate_header: Header = key(
        "certificateCertificateHeader",
        "certificate: the proxy's header with the certificate (PEM)",
        default="",
    )
    allow_registration: Switch = key(
        "allowRegistration", "whether anybody can have an account made", default=False
    )


class RoomsModules(Section):
    screensharing: Switch = key("screensharing", "sharing of screens", default=True)
    youtube: Switch = key("youtube", "watching videos together", default=True)
    presentation: Switch = key("presentation", "showing documents", default=True)
    contacts: Switch = key("contacts", "contacts between users", default=True)


class RoomsConf(Section):
    address: Annotated[str, AfterValidator(_address)] = key(
        "address", "where people come to; empty: there are no rooms", default=":8080"
    )
    encryption: Switch = key("encryption", "HTTPS", default=False)
    server_key: str = key("serverKey", "private key of HTTPS (PEM file)", default="server.key")
    server_cert: str = key("serverCert", "certificate chain of HTTPS (PEM file)", default="server.crt")
    base_path: Annotated[str, AfterValidator(_base_path)] = key(
        "basePath", "below which everything stands", default="/"
    )
    title: Line = key("title", "what the page is called", default="headgate")
    trusted_proxies: Networks = key(
        "trustedProxies", "proxies whose X-Forwarded-… and user headers are believed", default=()
    )
    allowed_origins: tuple[Annotated[str, AfterValidator(_origin)], ...] = key(
        "allowedOrigins", "other sites whose pages may connect; *: any", default=()
    )
    content_security_policy: Line = key(
        "contentSecurityPolicy", "header of the page; empty: what it needs, and nothing else", default=""
    )
    content_security_policy_report_only: Line = key(
        "contentSecurityPolicyReportOnly", "the other header; empty: none", default=""
    )
    max_sessions: Natural = key("maxSessions", "connections at once", default=20_000, least=1)
    stats: Switch = key("stats", "show /api/v1/stats to everybody", default=False)
    stun_uris: tuple[IceUri, ...] = key("stunURIs", "STUN servers for browsers", default=())
    turn_uris: tuple[IceUri, ...] = key(
        "turnURIs", "TURN servers for browsers, where our own is off", default=()
    )
    turn_secret: SecretStr = key("turnSecret", "shared secret of these", default=EMPTY)
    renegotiation: Switch = key("renegotiation", "clients may renegotiate calls", default=False)
    session_secret: Secret = key(
        "sessionSecret", "what tokens are signed with; empty: one is made", default=EMPTY
    )
    encryption_secret: Secret = key(
        "encryptionSecret", "what secret user ids are made with; empty: one is made", default=EMPTY
    )
    server_token: Line = key(
        "serverToken", "public; another one voids tokens; empty: one is made", default=""
    )
    server_realm: Line = key("serverRealm", "part of the ids of new users", default="local")
    token_file: str = key("tokenFile", "codes that let people in to the page, one a line", default="")
    global_room: Line = key("globalRoom", "a room whose members are in every room", default="")
    default_room_enabled: Switch = key("defaultRoomEnabled", "there is a room without a name", default=True)
    authorize_room_join: Switch = key("authorizeRoomJoin", "only users join rooms", default=False)
    authorize_room_creation: Switch = key("authorizeRoomCreation", "only users make rooms", default=False)
    room_types: dict[Annotated[str, AfterValidator(_expression)], Line] = key(
        "roomTypes",
        "regular expressions of names, and the type of such a room: Room or Conference",
        default={},
    )
    room_limit: Natural = key(
        "roomLimit", "people in a room at once", default=ROOM_LIMIT, least=1, most=ROOM_LIMIT
    )
    history_limit: Natural = key(
        "historyLimit", "chat messages that a room may keep; 0: none", default=200, most=1000
    )
    resume_timeout: Duration = key("resumeTimeout", "how long a lost connection may come back", default=30.0)
    modules: RoomsModules = key("modules", "what the page offers", default=RoomsModules())
    users: RoomsUsers = key("users", "accounts", default=RoomsUsers())

    @model_validator(mode="after")
    def _check(self) -> RoomsConf:
        for kind in self.room_types.values():
            if kind not in {"Room", "Conference"}:
                raise ValueError(f"roomTypes: '{kind[:64]}' is no type of a room (Room, Conference)")
        if self.users.enabled and self.users.mode is UsersMode.HTTPHEADER and not self.trusted_proxies:
            raise ValueError("users.mode httpheader needs trustedProxies: anybody could send that header")
        return self
