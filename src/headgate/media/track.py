"""A track: one elementary line of a stream, and what its payload formats mean to us."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from headgate import engine

__all__ = ["STATIC_FORMATS", "Format", "Kind", "Track"]


class Kind(enum.StrEnum):
    """The media type of a track, as SDP names it (RFC 8866 8.2.1). OTHER is any that is not listed."""

    VIDEO = "video"
    AUDIO = "audio"
    APPLICATION = "application"
    TEXT = "text"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One RTP payload format of a track."""

    payload_type: int
    encoding: str
    """The registered encoding name in lower case; "" where neither SDP nor RFC 3551 names one."""
    clock_rate: int
    """RTP timestamp ticks a second, never 0."""
    channels: int = 1
    parameters: str = ""
    """The format parameters, as in SDP's `fmtp`."""

    @property
    def label(self) -> str:
        """What `/v3` calls it."""
        return LABELS.get(self.encoding, "Generic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    kind: Kind
    formats: tuple[Format, ...]
    """At least one; more where a publisher announces alternatives or repair formats."""

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(each.label for each in self.formats)

    @property
    def engine_track(self) -> engine.Track:
        """What the engine must know: the codec and clock of the first format it can look into."""
        main = next((each for each in self.formats if each.encoding in CODECS), self.formats[0])
        unknown = engine.Codec.OPAQUE_VIDEO if self.kind is Kind.VIDEO else engine.Codec.OPAQUE
        return engine.Track(codec=CODECS.get(main.encoding, unknown), clock_rate=main.clock_rate)


LABELS: Mapping[str, str] = {
    "av1": "AV1",
    "vp9": "VP9",
    "vp8": "VP8",
    "h265": "H265",
    "h264": "H264",
    "mp4v-es": "MPEG-4 Video",
    "mpv": "MPEG-1/2 Video",
    "jpeg": "M-JPEG",
    "mp2t": "MPEG-TS",
    "opus": "Opus",
    "multiopus": "Opus",
    "vorbis": "Vorbis",
    "mpeg4-generic": "MPEG-4 Audio",
    "mp4a-latm": "MPEG-4 Audio",
    "mpa": "MPEG-1/2 Audio",
    "ac3": "AC-3",
    "speex": "Speex",
    "g722": "G722",
    "pcmu": "G711",
    "pcma": "G711",
    "l8": "LPCM",
    "l16": "LPCM",
    "l24": "LPCM",
    "smpte336m": "KLV",
} | dict.fromkeys(
    [f"{prefix}g726-{rate}" for prefix in ("", "aal2-") for rate in (16, 24, 32, 40)],
    "G726",
)

CODECS: Mapping[str, engine.Codec] = {
    "h264": engine.Codec.H264,
    "h265": engine.Codec.H265,
    "vp8": engine.Codec.VP8,
    "vp9": engine.Codec.VP9,
    "av1": engine.Codec.AV1,
}

# RFC 3551 6: payload types that need no rtpmap, as (encoding, clock rate, channels).
STATIC_FORMATS: Mapping[int, tuple[str, int, int]] = {
    0: ("pcmu", 8000, 1),
    3: ("gsm", 8000, 1),
    4: ("g723", 8000, 1),
    5: ("dvi4", 8000, 1),
    6: ("dvi4", 16000, 1),
    7: ("lpc", 8000, 1),
    8: ("pcma", 8000, 1),
    9: ("g722", 8000, 1),
    10: ("l16", 44100, 2),
    11: ("l16", 44100, 1),
    12: ("qcelp", 8000, 1),
    13: ("cn", 8000, 1),
    14: ("mpa", 90000, 1),
    15: ("g728", 8000, 1),
    16: ("dvi4", 11025, 1),
    17: ("dvi4", 22050, 1),
    18: ("g729", 8000, 1),
    25: ("celb", 90000, 1),
    26: ("jpeg", 90000, 1),
    28: ("nv", 90000, 1),
    31: ("h261", 90000, 1),
    32: ("mpv", 90000, 1),
    33: ("mp2t", 90000, 1),
    34: ("h263", 90000, 1),
}
