"""Where a source is: its URL with what a client needs of it, and the URLs of its tracks."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import unquote, urlsplit

from headgate.media.rtsp.login import Credentials
from headgate.media.rtsp.url import Url

__all__ = ["Location", "control_url"]

PORTS = {"rtsp": 554, "rtsps": 322}
UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")
UNWRITABLE = re.compile(r"[\x00-\x1f\x7f]")  # in a header


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """An rtsp:// or rtsps:// URL."""

    url: Url
    host: str
    """A name, or an IP literal without brackets."""
    port: int
    credentials: Credentials | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError with a text that shows neither user nor password."""
        if UNPRINTABLE.search(text):
            raise ValueError("a URL with blanks or control characters")
        try:
            parts = urlsplit(text)
            scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
            url = Url.parse(text)
        except ValueError:
            raise ValueError("not an RTSP URL") from None
        if scheme not in PORTS or not host:
            raise ValueError("not an rtsp:// or rtsps:// URL")
        credentials = None
        if parts.username is not None:
            credentials = Credentials(user=unquote(parts.username), password=unquote(parts.password or ""))
            if UNWRITABLE.search(credentials.user + credentials.password):
                raise ValueError("a user name or password with control characters")
        return cls(url=url, host=host, port=port or PORTS[scheme], credentials=credentials)

    @property
    def encrypted(self) -> bool:
        return self.url.scheme == "rtsps"

    def redirected(self, text: str) -> Self:
        """Where a server sends us. Raises ValueError.

        It cannot send us from an encrypted connection to one in the clear, and the password of
        this place is not told to another.
        """
        there = type(self).parse(text)
        if self.encrypted and not there.encrypted:
            raise ValueError("a redirection from rtsps:// to rtsp://")
        same = (self.host, self.port) == (there.host, there.port)
        return replace(there, credentials=self.credentials if same else there.credentials)

    def __str__(self) -> str:
        return str(self.url)


def control_url(base: Url, control: str) -> Url:
    """The URL that a control of a description means under `base` (RFC 2326 C.1.1). Raises ValueError.

    Relative ones are put behind the base, query and all, as every client does and every server expects;
    RFC 3986 would drop what follows the last "/". The host is always the base's: servers
    behind a NAT write what they believe to be theirs.
    """
    if control in {"", "*"}:
        return base
    if UNPRINTABLE.search(control):
        raise ValueError(f"a control with blanks or control characters: {control[:80]!r}")
    if "://" in control:
        return replace(Url.parse(control), scheme=base.scheme, host=base.host)
    if control.startswith("/"):
        path, mark, query = control[1:].partition("?")
        return replace(base, path=path, query=query if mark else None)
    text = str(base)
    if not text.endswith("/") and not control.startswith("?"):
        text += "/"
    return Url.parse(text + control)
