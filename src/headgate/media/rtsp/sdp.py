"""The session description a publisher announces (RFC 8866, RFC 2326 C), and what readers are told of it.

Readers get the publisher's own words for every track, so that a codec nobody here
knows still plays. What spoke of the publisher's network, and not of its media, is left out.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace

from headgate.media.rtsp.message import ProtocolError, Status
from headgate.media.rtsp.url import Url, track_control
from headgate.media.track import STATIC_FORMATS, Format, Kind, Track

__all__ = ["SIZE_LIMIT", "Media", "SessionDescription"]

SIZE_LIMIT = 128 * 1024
MEDIA_LIMIT = 64  # what the engine takes in one stream
LINE_LIMIT = 2048
"""32 for each media; FFmpeg writes 5. A short line costs ten times its bytes once it is parsed."""
PROFILES = frozenset({"RTP/AVP", "RTP/AVPF", "RTP/AVP/UDP", "RTP/AVP/TCP"})
SECURED_PROFILES = frozenset({"RTP/SAVP", "RTP/SAVPF"})
DEFAULT_CLOCK_RATE = 90_000
"""For a dynamic payload type nobody explained: RFC 3551's rate for video, and good for no harm elsewhere."""
CLOCK_RATE_LIMIT = 2**31

# Attributes about transport, direction or aggregation, which our own answers say instead.
UNPUBLISHED = frozenset(
    {"control", "range", "group", "msid", "msid-semantic", "bundle-only"}
    | {"recvonly", "sendonly", "sendrecv", "inactive"}
    | {"candidate", "remote-candidates", "end-of-candidates"}
    | {"ice-ufrag", "ice-pwd", "ice-options", "ice-lite", "ice-mismatch"}
    | {"setup", "connection", "fingerprint", "tls-id", "crypto", "key-mgmt"}
    | {"rtcp", "rtcp-mux", "rtcp-mux-only", "rtcp-rsize", "source-filter"}
)


@dataclass(frozen=True, slots=True)
class Attribute:
    name: str
    value: str | None
    """None for a property attribute, which has no ":"."""

    def __str__(self) -> str:
        return f"a={self.name}" if self.value is None else f"a={self.name}:{self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """One usable "m=" section."""

    kind: str
    secured: bool
    """SRTP, with a key of MIKEY's."""
    payload_types: tuple[int, ...]
    title: str | None
    bandwidths: tuple[str, ...]
    attributes: tuple[Attribute, ...]

    @property
    def control(self) -> str:
        """What the publisher will put in SETUP's URL for it; "" where it did not say."""
        return next((a.value for a in self.attributes if a.name == "control" and a.value), "")

    @property
    def track(self) -> Track:
        maps = dict(self._per_payload_type("rtpmap"))
        parameters = dict(self._per_payload_type("fmtp"))
        try:
            kind = Kind(self.kind)
        except ValueError:
            kind = Kind.OTHER
        formats = tuple(_format(n, maps.get(n), parameters.get(n, "")) for n in self.payload_types)
        return Track(kind=kind, formats=formats)

    def _per_payload_type(self, name: str) -> Iterator[tuple[int, str]]:
        for attribute in self.attributes:
            if attribute.name == name and attribute.value:
                number, _, rest = attribute.value.strip().partition(" ")
                if number.isdecimal() and len(number) <= 3:
                    yield int(number), rest.strip()

    def lines(self, control: str) -> Iterator[str]:
        """Its section for readers. Port 0: RTSP's SETUP says where packets go (RFC 2326 C.1.2)."""
        yield f"m={self.kind} 0 RTP/AVP {' '.join(map(str, self.payload_types))}"
        if self.title is not None:
            yield f"i={self.title}"
        yield from (f"b={bandwidth}" for bandwidth in self.bandwidths)
        yield from _published(self.attributes)
        yield f"a=control:{control}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionDescription:
    name: str
    attributes: tuple[Attribute, ...]
    medias: tuple[Media, ...]

    @classmethod
    def parse(cls, data: bytes) -> SessionDescription:
        """Read what a publisher announces. Raises ProtocolError(400, or 413 when too large).

        Lines nobody can read are skipped: cameras send them. A section that is not RTP or
        SRTP is left out; a description without a usable section is refused.
        """
        if len(data) > SIZE_LIMIT:
            raise ProtocolError(Status.REQUEST_ENTITY_TOO_LARGE, f"a description of {len(data)} bytes")
        # Not UTF-8? Then it leaves as it came.
        text = data.decode(errors="surrogateescape").replace("\r\n", "\n").replace("\r", "\n")
        lines = text.split("\n")
        if len(lines) > LINE_LIMIT:
            raise ProtocolError(Status.BAD_REQUEST, f"a description of {len(lines)} lines")
        sections: list[list[tuple[str, str]]] = [[]]
        for line in lines:
            kind, equals, value = line.strip("\0 \t").partition("=")
            if not equals or len(kind) != 1:
                continue
            if kind == "m":
                sections.append([])
            sections[-1].append((kind, value))
        if len(sections) - 1 > MEDIA_LIMIT:
            raise ProtocolError(Status.BAD_REQUEST, f"more than {MEDIA_LIMIT} media sections")
        head, *bodies = sections
        attributes = _attributes(head)
        keyed = _key_mgmt(attributes) is not None
        medias = tuple(media for body in bodies if (media := _media(body, keyed=keyed)) is not None)
        if not medias:
            raise ProtocolError(Status.BAD_REQUEST, "the description has no RTP media")
        name = next((value.strip() for kind, value in head if kind == "s"), "")
        return cls(name=name or "-", attributes=attributes, medias=medias)

    @property
    def control(self) -> str:
        """Of the whole presentation; "" where it did not say."""
        return next((a.value for a in self.attributes if a.name == "control" and a.value), "")

    def key_mgmt(self, track: int) -> str | None:
        """What was said about the track's key (RFC 4567 3.1), or else about that of all tracks."""
        return _key_mgmt(self.medias[track].attributes) or _key_mgmt(self.attributes)

    @property
    def tracks(self) -> tuple[Track, ...]:
        return tuple(media.track for media in self.medias)

    def find(self, url: Url, *, path: str, taken: Container[int]) -> tuple[Url, int | None]:
        """The path's URL, and which track a publisher of `path` means by `url` (RFC 2326 C.1.1).

        None where it is no single track; the URL is then as it came. `taken` are those set up already.
        """
        unnamed: list[int] = []
        for number, media in enumerate(self.medias):
            if media.control in {"", "*"}:
                unnamed.append(number)
                continue
            base = _without_control(url, media.control)
            if base is not None and ("://" in media.control or base.name == path):
                return base if base.name == path else replace(base, path=path), number
        # A publisher that named no controls sets its tracks up in their order.
        waiting = [number for number in unnamed if number not in taken]
        return url, waiting[0] if waiting and url.name == path else None

    def for_readers(self) -> bytes:
        """The description DESCRIBE answers with; track N's control is `track_control(N)`."""
        lines = [
            "v=0",
            "o=- 0 0 IN IP4 127.0.0.1",
            f"s={self.name}",
            "c=IN IP4 0.0.0.0",
            "t=0 0",
            *_published(self.attributes),
            "a=control:*",
        ]
        for number, media in enumerate(self.medias):
            lines.extend(media.lines(track_control(number)))
        return ("\r\n".join(lines) + "\r\n").encode(errors="surrogateescape")


def _without_control(url: Url, control: str) -> Url | None:
    """The path's URL if `url` names the track with this control, which may be a URL of its own."""
    if "://" not in control:
        return url.without(control)
    try:
        whole = Url.parse(control)
    except ValueError:
        return None
    # The host may differ: publishers behind a NAT write what they believe to be ours.
    return url if (whole.path, whole.query) == (url.path, url.query) else None


def _media(lines: list[tuple[str, str]], *, keyed: bool) -> Media | None:
    """None for a section that cannot be relayed as RTP. `keyed`: all sections have a key."""
    kind, _port, profile, *formats = [*lines[0][1].split(), "", "", ""]
    payload_types = tuple(int(f) for f in formats if f.isdecimal() and len(f) <= 3 and int(f) < 128)
    attributes = _attributes(lines)
    secured = profile.upper() in SECURED_PROFILES and (keyed or _key_mgmt(attributes) is not None)
    if not (secured or profile.upper() in PROFILES) or not payload_types:
        return None
    return Media(
        kind=kind,
        secured=secured,
        payload_types=tuple(dict.fromkeys(payload_types)),
        title=next((value for letter, value in lines if letter == "i"), None),
        bandwidths=tuple(value for letter, value in lines if letter == "b"),
        attributes=attributes,
    )


def _key_mgmt(attributes: Iterable[Attribute]) -> str | None:
    return next((one.value for one in attributes if one.name == "key-mgmt" and one.value), None)


def _attributes(lines: Iterable[tuple[str, str]]) -> tuple[Attribute, ...]:
    parts = (value.partition(":") for letter, value in lines if letter == "a" and value)
    return tuple(Attribute(name.strip(), value if colon else None) for name, colon, value in parts)


def _published(attributes: Iterable[Attribute]) -> Iterator[str]:
    return (str(attribute) for attribute in attributes if attribute.name.lower() not in UNPUBLISHED)


def _format(number: int, rtpmap: str | None, parameters: str) -> Format:
    """RFC 8866 6.6: `<encoding name>/<clock rate>[/<channels>]`."""
    encoding, clock_rate, channels = STATIC_FORMATS.get(number, ("", DEFAULT_CLOCK_RATE, 1))
    if rtpmap is not None:
        name, *numbers = rtpmap.split("/")
        encoding = name.strip().lower()
        clock_rate = _number(numbers[0] if numbers else "", limit=CLOCK_RATE_LIMIT) or DEFAULT_CLOCK_RATE
        channels = _number(numbers[1] if len(numbers) > 1 else "", limit=256) or 1
    return Format(
        payload_type=number,
        encoding=encoding,
        clock_rate=clock_rate,
        channels=channels,
        parameters=parameters,
    )


def _number(text: str, *, limit: int) -> int | None:
    text = text.strip()
    if not (text.isascii() and text.isdecimal()) or len(text) > 10:
        return None
    value = int(text)
    return value if 0 < value < limit else None
