"""The web client's files. They are read once: a request never names a file of the disk."""

from __future__ import annotations

import gzip
import hashlib
import html
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

import headgate
from headgate.rooms.rest.answers import not_found
from headgate.rooms.rest.wing import Wing

__all__ = ["Files", "page", "static"]

DIRECTORY = Path(headgate.__file__).parent / "web" / "rooms"
INDEX = "index.html"
BASE = b'<base href="/">'
TEXTS = ("text/", "application/javascript", "application/json", "image/svg+xml")
SIZE_LIMIT = 64 << 20  # bytes of all files
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
LASTING = "public, max-age=31536000, immutable"
"""The build names its files after what is in them; those that it does not are asked for each time."""


@dataclass(frozen=True, slots=True)
class File:
    data: bytes
    packed: bytes | None
    """gzip, of texts."""
    content_type: str
    etag: str


class Files:
    """By path below the directory."""

    def __init__(self, directory: Path = DIRECTORY) -> None:
        self._files: dict[str, File] = {}
        size = 0
        for path in sorted(directory.rglob("*")) if directory.is_dir() else ():
            if path.is_file() and (size := size + path.stat().st_size) <= SIZE_LIMIT:
                self._files[path.relative_to(directory).as_posix()] = _file(path)

    def get(self, path: str) -> File | None:
        return self._files.get(path)


async def page(wing: Wing, files: Files, request: Request) -> Response:
    found = files.get(INDEX)
    if found is None:
        return not_found("the page is not built (make)")
    settings = wing.settings
    base = f'<base href="{html.escape(settings.base_path)}">'.encode()
    headers = {
        "content-security-policy": settings.content_security_policy or POLICY,
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "permissions-policy": "camera=(self), microphone=(self), display-capture=(self)",
        "cache-control": "no-cache",
    }
    if settings.content_security_policy_report_only:
        headers["content-security-policy-report-only"] = settings.content_security_policy_report_only
    return Response(found.data.replace(BASE, base), headers=headers, media_type="text/html")


async def static(wing: Wing, files: Files, request: Request) -> Response:
    path: str = request.path_params["path"]
    found = files.get(path)
    if found is None or path == INDEX:
        return not_found()
    headers = {
        "etag": found.etag,
        "cache-control": LASTING if path.startswith("static/rooms/") else "no-cache",
        "x-content-type-options": "nosniff",
        "vary": "accept-encoding",
    }
    if request.headers.get("if-none-match") == found.etag:
        return Response(status_code=304, headers=headers)
    data = found.data
    if found.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        data = found.packed
        headers["content-encoding"] = "gzip"
    return Response(data, headers=headers, media_type=found.content_type)


def _file(path: Path) -> File:
    data = path.read_bytes()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if path.suffix in {".js", ".mjs"}:
        kind = "text/javascript"  # what this machine says of it may be anything
    packed = gzip.compress(data, mtime=0) if kind.startswith(TEXTS) else None
    return File(data, packed, kind, f'"{hashlib.sha256(data).hexdigest()[:20]}"')
