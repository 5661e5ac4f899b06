"""What a configuration may not combine (media.md 2.4): each rule yields the key and what is wrong.

The decisions are MediaMTX's, so that its files mean the same here. Stricter
are those that it would only notice while running: a queue of no packets,
unusable RTP ports, a segment that is a dot.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from urllib.parse import SplitResult, urlsplit

from headgate.core.config.choices import AuthMethod, Encryption, RtspAuthMethod, RtspTransport
from headgate.core.config.global_conf import GlobalConf
from headgate.core.config.networks import ListenAddress, parse_network
from headgate.core.config.path_conf import PUBLISHER, REDIRECT, RPI_CAMERA, PathConf
from headgate.core.config.path_names import PathPattern, path_name_mistake
from headgate.core.config.play_range import play_range
from headgate.core.config.secrets import redacted_query
from headgate.core.config.section import Section
from headgate.core.config.users import is_hashed
from headgate.core.hooks import command

__all__ = ["camera_mistakes", "global_mistakes", "name_mistake", "path_mistakes"]

Mistakes = Iterator[tuple[str, str]]

DAY = 86400.0
SRT_PASSPHRASE = range(10, 80)  # characters; the protocol's own bounds
SCHEMES = frozenset({"rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "udp", "srt", "whep", "wheps"})
FINGERPRINT = re.compile(r"(?:[0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}")
LOGIN_SCHEMES = frozenset({"rtmp", "rtmps", "http", "https"})

CAMERA_WORDS = (
    ("rpi_camera_exposure", ("normal", "short", "long", "custom")),
    (
        "rpi_camera_awb",
        ("auto", "incandescent", "tungsten", "fluorescent", "indoor", "daylight", "cloudy", "custom"),
    ),
    ("rpi_camera_denoise", ("off", "cdn_off", "cdn_fast", "cdn_hq")),
    ("rpi_camera_metering", ("centre", "spot", "matrix", "custom")),
    ("rpi_camera_af_mode", ("auto", "manual", "continuous")),
    ("rpi_camera_af_range", ("normal", "macro", "full")),
    ("rpi_camera_af_speed", ("normal", "fast")),
)
PRIMARY_CODECS = ("auto", "hardwareH264", "softwareH264")
SECONDARY_CODECS = ("auto", "mjpeg")


def global_mistakes(conf: GlobalConf) -> Mistakes:
    yield from _general(conf)
    yield from _commands(conf)
    yield from _access(conf)
    yield from _rtsp(conf)
    yield from _webrtc(conf)


def _general(conf: GlobalConf) -> Mistakes:
    if conf.read_timeout <= 0:
        yield "readTimeout", "must be greater than zero"
    if conf.write_timeout <= 0:
        yield "writeTimeout", "must be greater than zero"
    if conf.write_queue_size & (conf.write_queue_size - 1):
        yield "writeQueueSize", "must be a power of two"


def _commands(conf: Section) -> Mistakes:
    """Of hooks: they must be known to be command lines before the hour they are wanted."""
    for key, name in _hooks(type(conf)):
        if line := getattr(conf, name):
            try:
                command.words(line)
            except ValueError as error:
                yield key, str(error)


@functools.cache
def _hooks(section: type[Section]) -> tuple[tuple[str, str], ...]:
    """Key and attribute of those that are command lines. A change may look at thousands of paths."""
    fields = section.model_fields
    names = section.names().items()
    return tuple((k, name) for k, name in names if k.startswith("runOn") and fields[name].annotation is str)


def _access(conf: GlobalConf) -> Mistakes:
    for key, url in (("authHTTPAddress", conf.auth_http_address), ("authJWTJWKS", conf.auth_jwt_jwks)):
        if url and not url.startswith(("http://", "https://")):
            yield key, "must be a HTTP URL"
    if conf.auth_method is AuthMethod.HTTP and not conf.auth_http_address:
        yield "authHTTPAddress", "is empty, but authMethod is http"
    if conf.auth_method is AuthMethod.JWT:
        if not conf.auth_jwt_jwks:
            yield "authJWTJWKS", "is empty, but authMethod is jwt"
        if not conf.auth_jwt_claim_key:
            yield "authJWTClaimKey", "is empty, but authMethod is jwt"
    if not conf.rtsp_auth_methods:
        yield "rtspAuthMethods", "at least one must be given"
    if RtspAuthMethod.DIGEST in conf.rtsp_auth_methods:
        if conf.auth_method is not AuthMethod.INTERNAL:
            yield "rtspAuthMethods", "digest works with authMethod internal only"
        if any(is_hashed(user.user) or is_hashed(user.password) for user in conf.auth_internal_users):
            yield "rtspAuthMethods", "digest does not work with hashed credentials"


def _rtsp(conf: GlobalConf) -> Mistakes:
    if conf.rtsp and not conf.rtsp_transports:
        yield "rtspTransports", "at least one must be given (rtsp: no switches RTSP off)"
    if conf.rtsp_encryption is Encryption.STRICT and RtspTransport.MULTICAST in conf.rtsp_transports:
        yield "rtspEncryption", "strict encryption cannot be used with the transport multicast"
    if conf.rtsp and RtspTransport.UDP in conf.rtsp_transports:
        rtp, rtcp = ListenAddress.parse(conf.rtp_address).port, ListenAddress.parse(conf.rtcp_address).port
        # Two zeros: the server looks for a free pair.
        if (rtp, rtcp) != (0, 0):
            yield from _port_pair(rtp, rtcp, keys=("rtpAddress", "rtcpAddress"))
    if conf.rtsp and RtspTransport.MULTICAST in conf.rtsp_transports:
        yield from _port_pair(
            conf.multicast_rtp_port, conf.multicast_rtcp_port, keys=("multicastRTPPort", "multicastRTCPPort")
        )
        if not _is_groups(conf.multicast_ip_range):
            yield "multicastIPRange", "must be IPv4 multicast addresses, like 224.1.0.0/16"


def _port_pair(rtp: int, rtcp: int, *, keys: tuple[str, str]) -> Mistakes:
    if rtp == 0 or rtp % 2:
        yield keys[0], "the RTP port must be even (RFC 3550 11)"
    elif rtcp != rtp + 1:
        yield keys[1], f"the RTCP port must be the one after RTP's, {rtp + 1} (RFC 3550 11)"


def _is_groups(text: str) -> bool:
    try:
        network = parse_network(text)
    except ValueError:
        return False
    return isinstance(network, IPv4Network) and network.subnet_of(IPv4Network("224.0.0.0/4"))


def _webrtc(conf: GlobalConf) -> Mistakes:
    for server in conf.webrtc_ice_servers2:
        if not server.url.startswith(("stun:", "turn:", "turns:")):
            yield "webrtcICEServers2", f"invalid ICE server: '{_shown(server.url)}'"
    local = bool(conf.webrtc_local_udp_address or conf.webrtc_local_tcp_address)
    if not local and not conf.webrtc_ice_servers2:
        yield (
            "webrtcLocalUDPAddress",
            "is empty; one of webrtcLocalUDPAddress, webrtcLocalTCPAddress, webrtcICEServers2 must be filled",
        )
    if local and not conf.webrtc_ips_from_interfaces and not conf.webrtc_additional_hosts:
        yield "webrtcIPsFromInterfaces", "either this or webrtcAdditionalHosts must be set"


def name_mistake(name: str) -> str | None:
    """What is wrong with a key under `paths`."""
    try:
        pattern = PathPattern.compile(name)
    except ValueError as error:
        return str(error)
    mistake = path_name_mistake(name) if pattern is None else None
    return f"invalid path name '{name}': {mistake}" if mistake else None


def path_mistakes(conf: PathConf, *, is_pattern: bool, playback: bool) -> Mistakes:
    """`playback`: recordings are served, so that their names must tell them apart to the microsecond."""
    yield from _source(conf, is_pattern=is_pattern)
    for key, passphrase in (
        ("srtReadPassphrase", conf.srt_read_passphrase),
        ("srtPublishPassphrase", conf.srt_publish_passphrase),
    ):
        if passphrase and len(passphrase) not in SRT_PASSPHRASE:
            yield key, "must be between 10 and 79 characters"
    if conf.fallback and (mistake := _target_mistake(conf.fallback)):
        yield "fallback", mistake
    yield from _recording(conf, playback=playback)
    yield from _commands(conf)
    if conf.run_on_init and is_pattern:
        yield "runOnInit", "cannot be used with a regular expression (or all_others); use another path"
    for key, line in (("runOnDemand", conf.run_on_demand), ("runOnUnDemand", conf.run_on_un_demand)):
        if line and conf.source != PUBLISHER:
            yield key, "can be used only when source is 'publisher'"


def _source(conf: PathConf, *, is_pattern: bool) -> Mistakes:
    scheme, separator, _ = conf.source.partition("://")
    if conf.source in {PUBLISHER, REDIRECT}:
        pass
    elif conf.source == RPI_CAMERA:
        yield from _camera(conf)
    elif not separator or scheme not in SCHEMES:
        yield "source", f"invalid source: '{_shown(conf.source)}'"
    elif mistake := _url_mistake(conf.source):
        yield "source", mistake
    if conf.source_fingerprint and not FINGERPRINT.fullmatch(conf.source_fingerprint):
        yield "sourceFingerprint", "must be the SHA-256 of a certificate: 64 hexadecimal digits"
    try:
        play_range(conf.rtsp_range_type, conf.rtsp_range_start)
    except ValueError as error:
        yield "rtspRangeStart", str(error)
    if is_pattern and conf.source not in {PUBLISHER, REDIRECT} and not conf.source_on_demand:
        yield "sourceOnDemand", "must be yes for a source of a regular expression (or all_others)"
    if conf.source_on_demand and conf.source == PUBLISHER:
        yield "sourceOnDemand", "is useless when source is 'publisher'"
    if conf.srt_publish_passphrase and conf.source != PUBLISHER:
        yield "srtPublishPassphrase", "can only be used when source is 'publisher'"
    if conf.source == REDIRECT:
        if not conf.source_redirect:
            yield "sourceRedirect", "must be filled when source is 'redirect'"
        elif mistake := _target_mistake(conf.source_redirect):
            yield "sourceRedirect", mistake
    elif conf.source_redirect:
        yield "sourceRedirect", "is useless when source is not 'redirect'"


def _recording(conf: PathConf, *, playback: bool) -> Mistakes:
    if "%path" not in conf.record_path:
        yield "recordPath", "must contain %path"
    if "%s" not in conf.record_path and not all(
        part in conf.record_path for part in ("%Y", "%m", "%d", "%H", "%M", "%S")
    ):
        yield "recordPath", "must contain either %s or %Y %m %d %H %M %S"
    if playback and "%f" not in conf.record_path:
        yield "recordPath", "must contain %f when playback is on"
    if conf.record_segment_duration > DAY:
        yield "recordSegmentDuration", "must be at most 1d"
    if conf.record_delete_after and conf.record_delete_after < conf.record_segment_duration:
        yield "recordDeleteAfter", "cannot be lower than recordSegmentDuration"


def _camera(conf: PathConf) -> Mistakes:
    aliases = {name: key for key, name in PathConf.names().items()}
    for name in ("rpi_camera_width", "rpi_camera_height"):
        if getattr(conf, name) == 0:
            yield aliases[name], "must not be zero"
    for name, words in CAMERA_WORDS:
        if getattr(conf, name) not in words:
            yield aliases[name], f"invalid value '{getattr(conf, name)}' (one of {', '.join(words)})"
    if len(conf.rpi_camera_awb_gains) != 2:
        yield "rpiCameraAWBGains", "must have two numbers"
    codecs = SECONDARY_CODECS if conf.rpi_camera_secondary else PRIMARY_CODECS
    if conf.rpi_camera_codec not in codecs:
        stream = "secondary" if conf.rpi_camera_secondary else "primary"
        yield "rpiCameraCodec", f"invalid value for a {stream} stream (one of {', '.join(codecs)})"


def camera_mistakes(paths: Mapping[str, PathConf]) -> Iterator[tuple[str, str, str]]:
    """Of all paths together: path, key, what. A camera has one primary stream and one secondary at most."""
    seen: dict[tuple[int, bool], str] = {}
    for name, conf in sorted(paths.items()):
        if conf.source != RPI_CAMERA:
            continue
        first = seen.setdefault((conf.rpi_camera_cam_id, conf.rpi_camera_secondary), name)
        if first != name:
            yield name, "rpiCameraCamID", f"path '{first}' has this stream of camera {conf.rpi_camera_cam_id}"
    for (camera, secondary), name in seen.items():
        if secondary and (camera, False) not in seen:
            yield name, "rpiCameraSecondary", f"no path has the primary stream of camera {camera}"


def _url_mistake(url: str) -> str | None:
    parts = _split(url)
    if parts is None or not parts.hostname:
        return f"'{_shown(url)}' is not a valid URL"
    if parts.scheme == "udp" and parts.port is None:
        return f"'{_shown(url)}' is not a valid UDP URL: the port is missing"
    if parts.scheme in LOGIN_SCHEMES and bool(parts.username) != bool(parts.password):
        return "username and password must be both provided"
    return None


def _target_mistake(target: str) -> str | None:
    """Of where readers are sent: another path as /name, or an RTSP URL."""
    if target.startswith("/"):
        mistake = path_name_mistake(target[1:])
        return f"'{target}': {mistake}" if mistake else None
    parts = _split(target)
    if parts is None or parts.scheme not in {"rtsp", "rtsps"} or not parts.hostname:
        return f"'{_shown(target)}' is not a valid RTSP URL"
    return None


def _shown(url: str) -> str:
    """Without a user name and password, nor the secrets of its query: mistakes end up in logs."""
    scheme, separator, rest = url.rpartition("://")
    if "@" in rest:
        rest = f"…@{rest.rpartition('@')[2]}"
    place, mark, query = rest.partition("?")
    return f"{scheme}{separator}{place}{mark}{redacted_query(query)}"


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # reading it is what checks it
    except ValueError:
        return None
    return parts
