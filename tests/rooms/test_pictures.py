"""Only a picture ever goes out."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from headgate.rooms.pictures import SIZE, Pictures, decode_picture, resized


def drawn(kind: str, *, size: tuple[int, int] = (200, 100), mode: str = "RGB", **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.new(mode, size, "orange").save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_every_format_comes_out_square(kind: str) -> None:
    picture = decode_picture(drawn(kind))
    assert picture is not None
    with Image.open(io.BytesIO(picture.data)) as image:
        assert image.size == (SIZE, SIZE)
        assert image.format == ("PNG" if picture.is_png else "JPEG")
    with Image.open(io.BytesIO(resized(picture, 46))) as image:
        assert image.size == (46, 46)


def test_transparency_stays() -> None:
    picture = decode_picture(drawn("PNG", mode="RGBA"))
    assert picture is not None
    assert picture.file == "picture.png"


def test_nothing_else_of_the_file_comes_out() -> None:
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    jpeg = drawn("JPEG", exif=exif)
    for data in (jpeg, drawn("PNG") + b"<script>alert(1)</script>"):
        picture = decode_picture(data)
        assert picture is not None
        assert b"secret" not in picture.data
        assert b"script" not in picture.data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"<html>",
        drawn("BMP"),
        drawn("TIFF"),
        drawn("PNG")[:60],
        drawn("PNG", size=(5000, 5000)),
    ],
)
def test_what_is_no_picture(data: bytes) -> None:
    assert decode_picture(data) is None


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    decode_picture(b"\x89PNG\r\n\x1a\n" + data)
    decode_picture(b"GIF89a" + data)


def test_urls() -> None:
    seen: list[object] = []

    def decode(data: bytes, callback: object) -> bool:
        seen.append(data)
        return True

    pictures = Pictures(decode)
    good = base64.b64encode(b"abc").decode()
    assert pictures.read(f"data:image/png;base64,{good}", lambda _: None)
    for url in (f"data:text/html;base64,{good}", "data:image/png,abc", "data:image/png;base64,*", "data:"):
        assert not pictures.read(url, lambda _: None)
    assert seen == [b"abc"]


def test_the_name_stays_when_the_picture_changes() -> None:
    pictures = Pictures(lambda data, callback: True)
    one, other = decode_picture(drawn("PNG")), decode_picture(drawn("JPEG", size=(9, 9)))
    assert one is not None
    assert other is not None
    name = pictures.keep(None, one)
    assert len(name) == 24
    assert pictures.keep(name, other) == name
    assert pictures.get(name) is other
    again = decode_picture(drawn("PNG"))
    assert again is not None
    assert again.change == one.change
    pictures.remove(name)
    assert len(pictures) == 0
