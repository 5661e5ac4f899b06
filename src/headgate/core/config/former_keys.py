"""Keys of other MediaMTX releases: what is written under them is moved to the key of this release.

Three tables: keys that were renamed before or after 1.12.3 (media.md 1), keys
that came later and are taken only at the value that asks for nothing, and keys
of the access control of old, whose meaning must not get lost silently.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from headgate.core.config.draft import Draft, Location, dotted

__all__ = ["FORMER_GLOBAL", "FORMER_PATH", "Former", "modernise"]


def _same(value: Any) -> Any:
    return value


def _opposite(value: Any) -> Any:
    """The other word; what is no word of yes or no is left for the field to refuse."""
    words = {"yes": "no", "true": "false", "on": "off"}
    words |= {no: yes for yes, no in words.items()}
    if isinstance(value, bool):  # of JSON
        return not value
    return words.get(value.lower(), value) if isinstance(value, str) else value


def _one_origin(value: Any) -> Any:
    """A list with one origin is that origin. Raises ValueError: there is one header to fill."""
    if not isinstance(value, list):
        return value
    if len(value) == 1:
        return value[0]
    raise ValueError("takes exactly one origin here")


def _ice_servers(value: Any) -> Any:
    """ "stun:host:port" or "turn:user:pass:host:port", each as the mapping that replaced it."""
    if not isinstance(value, list):
        return value
    return [_ice_server(item) if isinstance(item, str) else item for item in value]


def _ice_server(text: str) -> dict[str, str]:
    parts = text.split(":")
    if len(parts) != 5:
        return {"url": text}
    scheme, username, password, host, port = parts
    return {"url": f"{scheme}:{host}:{port}", "username": username, "password": password}


@dataclass(frozen=True, slots=True)
class Former:
    """Where a key went."""

    key: str
    """Its name now; from pathDefaults where `to_path_defaults`."""
    convert: Callable[[Any], Any] = _same
    to_path_defaults: bool = False
    newer: bool = False
    """The name of a later release, which is no reason for a warning."""

    @property
    def is_opposite(self) -> bool:
        """Yes became no."""
        return self.convert is _opposite


RECORD_KEYS = (
    "record",
    "recordPath",
    "recordFormat",
    "recordPartDuration",
    "recordSegmentDuration",
    "recordDeleteAfter",
)

FORMER_GLOBAL: Mapping[str, Former] = {
    "readBufferCount": Former("writeQueueSize"),
    "externalAuthenticationURL": Former("authHTTPAddress"),
    "rtspDisable": Former("rtsp", _opposite),
    "protocols": Former("rtspTransports"),
    "encryption": Former("rtspEncryption"),
    "serverKey": Former("rtspServerKey"),
    "serverCert": Former("rtspServerCert"),
    "authMethods": Former("rtspAuthMethods"),
    "rtmpDisable": Former("rtmp", _opposite),
    "hlsDisable": Former("hls", _opposite),
    "webrtcDisable": Former("webrtc", _opposite),
    "webrtcICEUDPMuxAddress": Former("webrtcLocalUDPAddress"),
    "webrtcICETCPMuxAddress": Former("webrtcLocalTCPAddress"),
    "webrtcICEHostNAT1To1IPs": Former("webrtcAdditionalHosts"),
    "webrtcICEServers": Former("webrtcICEServers2", _ice_servers),
    **{key: Former(key, to_path_defaults=True) for key in RECORD_KEYS},
    **{
        f"{server}AllowOrigins": Former(f"{server}AllowOrigin", _one_origin, newer=True)
        for server in ("api", "metrics", "pprof", "playback", "hls", "webrtc")
    },
}

FORMER_PATH: Mapping[str, Former] = {
    "disablePublisherOverride": Former("overridePublisher", _opposite),
    "sourceProtocol": Former("rtspTransport"),
    "sourceAnyPortEnable": Former("rtspAnyPort"),
    "runOnAvailable": Former("runOnReady", newer=True),
    "runOnAvailableRestart": Former("runOnReadyRestart", newer=True),
    "runOnUnavailable": Former("runOnNotReady", newer=True),
    "runOnOnline": Former("runOnReady", newer=True),
    "runOnOnlineRestart": Former("runOnReadyRestart", newer=True),
    "runOnOffline": Former("runOnNotReady", newer=True),
    "rpiCameraH264Profile": Former("rpiCameraProfile", newer=True),
    "rpiCameraH264Level": Former("rpiCameraLevel", newer=True),
    "rpiCameraMJPEGQuality": Former("rpiCameraJPEGQuality", newer=True),
}

LOST_ACCESS = frozenset({"publishUser", "publishPass", "publishIPs", "readUser", "readPass", "readIPs"})

# With the values that ask for nothing this version lacks.
NEWER_GLOBAL: Mapping[str, tuple[Any, ...]] = {
    "logStructured": ("false", "no"),
    "dumpPackets": ("false", "no"),
    "udpReadBufferSize": ("0",),
    "authHTTPFingerprint": ("",),
    "authJWTIssuer": ("",),
    "srtpAddress": (":8004",),
    "srtcpAddress": (":8005",),
    "multicastSRTPPort": ("8006",),
    "multicastSRTCPPort": ("8007",),
    "rtspTrustedProxies": ([],),
    "rtmpTrustedProxies": ([],),
    "hlsCDNSecret": ("",),
    "moq": ("true", "yes", "false", "no"),
    "moqHTTP2Address": (":8892",),
    "moqHTTP3Address": (":8892",),
    "moqQUICAddress": (":8893",),
    "moqServerKey": ("auto.key",),
    "moqServerCert": ("auto.crt",),
    "moqAllowOrigins": (["*"],),
    "moqTrustedProxies": ([],),
}
NEWER_PATH: Mapping[str, tuple[Any, ...]] = {
    "alwaysAvailable": ("false", "no"),
    "alwaysAvailableTracks": ([],),
    "alwaysAvailableFile": ("",),
    "forward": ([],),
    "recordMaxPartSize": ("50M",),
    "rtspDemuxMpegts": ("false", "no"),
    "rtspScale": ("",),
    "rtspUDPSourcePortRange": (["32768", "60999"],),
    "rtpSDP": ("",),
    "moqTransport": ("quic",),
    "whepBearerToken": ("",),
    "whepSTUNGatherTimeout": ("5s",),
    "whepHandshakeTimeout": ("10s",),
    "whepTrackGatherTimeout": ("2s",),
    "playback": ("true", "yes", "false", "no"),  # older; without an effect since playback is global
}


def modernise(draft: Draft) -> None:
    """Rewrite the draft in the keys of this release; warn of deprecated ones, complain of the rest."""
    if draft.data.get("externalAuthenticationURL"):
        draft.put(("authMethod",), "http", draft.origin(("externalAuthenticationURL",)))
    _section(draft, (), draft.data, FORMER_GLOBAL, NEWER_GLOBAL)
    defaults = draft.data.get("pathDefaults")
    if isinstance(defaults, dict):
        _section(draft, ("pathDefaults",), defaults, FORMER_PATH, NEWER_PATH)
    paths = draft.data.get("paths")
    for name, path in paths.items() if isinstance(paths, dict) else ():
        if isinstance(path, dict):
            _section(draft, ("paths", name), path, FORMER_PATH, NEWER_PATH)


def _section(
    draft: Draft,
    location: Location,
    section: dict[str, Any],
    former: Mapping[str, Former],
    newer: Mapping[str, tuple[Any, ...]],
) -> None:
    for key in list(section):
        at = (*location, key)
        if key in former:
            _move(draft, location, section, key, former[key])
        elif key in newer:
            value = section.pop(key)
            if value is not None and value not in newer[key]:
                draft.mistake(at, "is a key of another MediaMTX release and has no counterpart here")
        elif location and key in LOST_ACCESS:
            value = section.pop(key)
            if value:
                draft.mistake(at, "is not supported any more; access control is set with authInternalUsers")


def _move(draft: Draft, location: Location, section: dict[str, Any], key: str, former: Former) -> None:
    at = (*location, key)
    value = section.pop(key)
    to = ("pathDefaults", former.key) if former.to_path_defaults else (*location, former.key)
    if value is None:
        return
    try:
        value = former.convert(value)
    except ValueError as error:
        draft.mistake(at, str(error))
        return
    if not former.newer:
        draft.warn(at, f"is deprecated; write {dotted(to)}")
    if draft.get(to) not in (None, value):
        draft.mistake(at, f"says the same as {dotted(to)}, which is set as well")
        return
    draft.put(to, value, draft.origin(at))
