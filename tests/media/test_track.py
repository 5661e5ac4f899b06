"""What payload formats mean to the engine and to operators."""

from __future__ import annotations

import pytest

from headgate.engine import Codec
from headgate.media.track import CODECS, LABELS, STATIC_FORMATS, Format, Kind, Track


def made(kind: Kind, *encodings: str) -> Track:
    formats = [
        Format(payload_type=96 + n, encoding=encoding, clock_rate=1000 * (n + 1))
        for n, encoding in enumerate(encodings)
    ]
    return Track(kind=kind, formats=tuple(formats))


@pytest.mark.parametrize(
    ("track", "codec", "clock_rate"),
    [
        (made(Kind.VIDEO, "h264"), Codec.H264, 1000),
        (made(Kind.VIDEO, "rtx", "h265"), Codec.H265, 2000),
        (made(Kind.VIDEO, "new"), Codec.OPAQUE_VIDEO, 1000),
        (made(Kind.AUDIO, "opus", "red"), Codec.OPAQUE, 1000),
        (made(Kind.OTHER, ""), Codec.OPAQUE, 1000),
    ],
)
def test_the_engines_view(track: Track, codec: Codec, clock_rate: int) -> None:
    assert (track.engine_track.codec, track.engine_track.clock_rate) == (codec, clock_rate)


def test_the_tables_agree() -> None:
    assert CODECS.keys() <= LABELS.keys()
    assert all(name == name.lower() for name in LABELS)
    assert all(number < 96 and rate > 0 for number, (_, rate, _) in STATIC_FORMATS.items())


def test_an_unknown_encoding_is_generic() -> None:
    assert made(Kind.VIDEO, "h264", "unheard-of").labels == ("H264", "Generic")
