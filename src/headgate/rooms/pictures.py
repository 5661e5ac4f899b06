"""Buddy pictures: whatever comes in is decoded and written anew, so that only a picture ever goes out."""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import io
import re
import secrets
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from PIL import Image, ImageOps

__all__ = ["Decode", "Picture", "Pictures", "decode_picture", "resized"]

SIZE = 128
"""Pixels wide and high, of what is kept: twice what is shown, for dense screens, and some more."""
SMALLEST = 16
PIXEL_LIMIT = 4_000_000
"""Of what comes in: 16 MB while it is decoded."""
FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
URL = re.compile(r"data:image/[a-z+.-]{1,16};base64,", re.IGNORECASE)
QUALITY = 85
NAME_SIZE = 18  # random bytes of a picture's name; the old server had 15

Callback = Callable[["Picture | None"], None]
Decode = Callable[[bytes, Callback], bool]
"""Decodes elsewhere than on the loop, and calls back on it; False where too many wait already."""


@dataclass(frozen=True, slots=True)
class Picture:
    data: bytes
    is_png: bool
    change: str
    """The same for the same bytes."""
    made: datetime

    @property
    def file(self) -> str:
        return "picture.png" if self.is_png else "picture.jpg"

    @property
    def content_type(self) -> str:
        return "image/png" if self.is_png else "image/jpeg"


class Pictures:
    """One for each session that has any, by a name that nobody can guess."""

    def __init__(self, decode: Decode) -> None:
        self._decode = decode
        self._pictures: dict[str, Picture] = {}

    def __len__(self) -> int:
        return len(self._pictures)

    def read(self, url: str, callback: Callback) -> bool:
        """`callback` gets the picture, or None where there is none in it; False: this is no such URL."""
        found = URL.match(url)
        if found is None:
            return False
        try:
            data = base64.b64decode(url[found.end() :], validate=True)
        except (binascii.Error, ValueError):
            return False
        return self._decode(data, callback)

    def keep(self, image: str | None, picture: Picture) -> str:
        """The image's name, which stays when the picture changes."""
        image = image or base64.urlsafe_b64encode(secrets.token_bytes(NAME_SIZE)).decode()
        self._pictures[image] = picture
        return image

    def get(self, image: str) -> Picture | None:
        return self._pictures.get(image)

    def remove(self, image: str) -> None:
        self._pictures.pop(image, None)


def decode_picture(data: bytes) -> Picture | None:
    """None: this is no picture, or one that is too large. Takes milliseconds; for a thread."""
    try:
        with warnings.catch_warnings(action="error"), Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > PIXEL_LIMIT or not image.width or not image.height:
                return None
            # A JPEG is made smaller while it is read.
            image.draft("RGB", (2 * SIZE, 2 * SIZE))
            upright = ImageOps.exif_transpose(image)
            is_png = "A" in upright.getbands() or "transparency" in upright.info
            square = ImageOps.fit(
                upright.convert("RGBA" if is_png else "RGB"), (SIZE, SIZE), Image.Resampling.LANCZOS
            )
    except Exception:  # noqa: BLE001 (hostile bytes raise whatever Pillow's decoders come to)
        return None
    written = _written(square, is_png=is_png)
    change = base64.urlsafe_b64encode(hashlib.sha256(written).digest()[:9]).decode()
    return Picture(written, is_png, change, datetime.now(UTC))


@functools.lru_cache(maxsize=512)
def resized(picture: Picture, size: int) -> bytes:
    """`size` pixels wide and high, from SMALLEST to SIZE. About a millisecond the first time."""
    size = min(max(size, SMALLEST), SIZE)
    if size == SIZE:
        return picture.data
    with Image.open(io.BytesIO(picture.data)) as image:
        return _written(image.resize((size, size), Image.Resampling.LANCZOS), is_png=picture.is_png)


def _written(image: Image.Image, *, is_png: bool) -> bytes:
    """Without what the camera wrote into it: a place, a name."""
    stream = io.BytesIO()
    image.info.clear()
    if is_png:
        image.save(stream, "PNG", optimize=True)
    else:
        image.save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue()
