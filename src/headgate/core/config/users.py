"""Who may do what, as authInternalUsers and the *Exclude lists write it."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from headgate.core.config.choices import AuthAction
from headgate.core.config.networks import Networks, parse_network
from headgate.core.config.path_names import PathPattern
from headgate.core.config.section import Section, key

__all__ = ["DEFAULT_USERS", "AuthInternalUser", "AuthInternalUserPermission", "Credential", "is_hashed"]

PLAIN = re.compile(r"[a-zA-Z0-9!$()*+.;<=>\[\]^_\-{}@#&]+")
SHA256 = re.compile(r"sha256:[a-zA-Z0-9+/=]+")
# The encoded form of the argon2 reference implementation; media.md 2.4 allows the variants i and id.
ARGON2 = re.compile(
    r"argon2:\$argon2(?:i|id)\$(?:v=[0-9]+\$)?m=[0-9]+,t=[0-9]+,p=[0-9]+\$[a-zA-Z0-9+/]+\$[a-zA-Z0-9+/]+"
)


def is_hashed(credential: str) -> bool:
    return credential.startswith(("sha256:", "argon2:"))


def _credential(text: str) -> str:
    if text.startswith("sha256:"):
        if SHA256.fullmatch(text) is None:
            raise ValueError("a sha256 credential must be sha256: and the hash in base64")
    elif text.startswith("argon2:"):
        if ARGON2.fullmatch(text) is None:
            raise ValueError("an argon2 credential must be argon2: and the encoded hash ($argon2id$v=…)")
    elif text and PLAIN.fullmatch(text) is None:
        raise ValueError("a credential can contain only letters, digits and !$()*+.;<=>[]^_-{}@#&")
    return text


Credential = Annotated[str, AfterValidator(_credential)]
"""Plain text, "sha256:" and base64, or "argon2:" and the encoded form. The text is never in an error."""


def _permission_path(text: str) -> str:
    if text.startswith("~"):
        PathPattern.compile(text)
    return text


PermissionPath = Annotated[str, AfterValidator(_permission_path)]


class AuthInternalUserPermission(Section):
    action: AuthAction = Field(alias="action", description="what is allowed")
    path: PermissionPath = key("path", "on which path: a name, ~regex, or empty for every path", default="")


class AuthInternalUser(Section):
    user: Credential = key("user", "user name; any is everybody, without a password", default="")
    password: Credential = key("pass", "password, plain or hashed", default="")
    ips: Networks = key("ips", "networks the user may come from; empty is anywhere", default=())
    permissions: tuple[AuthInternalUserPermission, ...] = key(
        "permissions", "what the user may do", default=()
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.user:
            raise ValueError("empty usernames are not supported")
        if self.user == "any" and self.password:
            raise ValueError("using a password with 'any' user is not supported")
        return self


def _permissions(*actions: AuthAction) -> tuple[AuthInternalUserPermission, ...]:
    return tuple(AuthInternalUserPermission(action=action) for action in actions)


DEFAULT_USERS = (
    AuthInternalUser(
        user="any", permissions=_permissions(AuthAction.PUBLISH, AuthAction.READ, AuthAction.PLAYBACK)
    ),
    AuthInternalUser(
        user="any",
        ips=(parse_network("127.0.0.1"), parse_network("::1")),
        permissions=_permissions(AuthAction.API, AuthAction.METRICS, AuthAction.PPROF),
    ),
)
