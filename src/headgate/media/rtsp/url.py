"""RTSP URLs (RFC 2326 3.2) and the places where clients put a track's control in them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import unquote

from headgate.core.config.secrets import redacted_query

__all__ = ["Url", "track_control"]

SIZE_LIMIT = 2048
"""In characters. The longest that anybody needs holds a signed token; answers repeat it for every track."""

FORM = re.compile(
    r"(?P<scheme>rtspu?|rtsps)://(?P<authority>[^/?#]*)(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?",
    re.IGNORECASE,
)
TRACK = re.compile(r"(?:^|/)(trackID=([0-9]{1,3}))/?$")
AUTHORITY = re.compile(r"(?:[^@]*@)?(?P<host>\[[0-9A-Fa-f:.%]+\]|[^:\[\]@]+)(?::(?P<port>\d{1,5}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Url:
    """A request's target, as sent. User and password are dropped: nothing echoes them."""

    scheme: str
    host: str
    """With its port, where the client gave one."""
    path: str
    """Without the leading "/", not decoded."""
    query: str | None
    """Without "?"; None where the URL has none."""

    @classmethod
    def parse(cls, text: str) -> Url:
        """Raises ValueError, with a text for the log."""
        form = FORM.fullmatch(text) if len(text) <= SIZE_LIMIT else None
        authority = AUTHORITY.fullmatch(form["authority"]) if form else None
        if form is None or authority is None or int(authority["port"] or 0) > 65535:
            # Behind the last "@": what is before it may be a password that has one in it.
            raise ValueError(f"not an RTSP URL: {redacted_query(text.rpartition('@')[2])[:80]!r}")
        host = authority["host"] + (f":{authority['port']}" if authority["port"] else "")
        return cls(
            scheme=form["scheme"].lower(), host=host, path=(form["path"] or "/")[1:], query=form["query"]
        )

    def __str__(self) -> str:
        query = "" if self.query is None else f"?{self.query}"
        return f"{self.scheme}://{self.host}/{self.path}{query}"

    @property
    def name(self) -> str:
        """The path name meant: decoded, without the "/" that `base` puts behind it."""
        return unquote(self.path).removesuffix("/")

    @property
    def plain_query(self) -> str:
        """The query without a "/" that a client put behind it; "" where there is none."""
        return (self.query or "").removesuffix("/")

    @property
    def base(self) -> str:
        """The aggregate's URL, its path with "/" behind it: Content-Base (RFC 2326 C.1.1).

        The "/" stands in front of the query, because clients that resolve a track's control by
        RFC 3986 (GStreamer) replace what follows the last "/" of the path, and drop the query.
        """
        return str(replace(self, path=self.path.removesuffix("/") + "/"))

    @property
    def track(self) -> tuple[Url, int | None]:
        """The aggregate's URL and the track meant, by a control of ours; None: the aggregate itself."""
        found = TRACK.search(self.query or "") or TRACK.search(self.path)
        if found is None:
            return self, None
        return self.without(found[0].removeprefix("/")) or self, int(found[2])

    def without(self, control: str) -> Url | None:
        """The aggregate's URL if this one ends in the relative `control`, else None.

        FFmpeg and VLC append the control to the whole URL, behind a query if there is
        one; GStreamer since 1.18 puts it between path and query.
        """
        end = "/" + control.removeprefix("/")
        if self.query is not None and f"/{self.query}".endswith(end):
            return replace(self, query=self.query[: max(len(self.query) - len(end), 0)])
        whole = f"/{self.path}"
        if whole.endswith(end):
            return replace(self, path=whole[: -len(end)][1:])
        # A control may itself have a query: "stream?id=1" under a URL that has none.
        control_path, mark, control_query = control.partition("?")
        if mark and self.query == control_query:
            return replace(self, query=None).without(control_path)
        return None


def track_control(number: int) -> str:
    """The control of a path's track, relative to the path's URL. Tracks count from 0."""
    return f"trackID={number}"
