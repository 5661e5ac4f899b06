"""The global configuration: every field of seed 002's GlobalConf, in its order.

Defaults are those of MediaMTX 1.12.3 (media.md 2.6) but for the operator's
listener, which is on and bound to loopback.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from headgate.core.config.choices import (
    AuthAction,
    AuthMethod,
    Encryption,
    HlsVariant,
    LogDestination,
    LogDestinations,
    LogLevel,
    RtspAuthMethod,
    RtspAuthMethods,
    RtspTransport,
    RtspTransports,
)
from headgate.core.config.durations import Duration
from headgate.core.config.networks import ListenAddress, Networks
from headgate.core.config.scalars import HttpEncryption, Natural, Port, Switch, Whole
from headgate.core.config.section import Section, key
from headgate.core.config.sizes import Size
from headgate.core.config.users import DEFAULT_USERS, AuthInternalUser, AuthInternalUserPermission

__all__ = ["Address", "GlobalConf", "IceServer"]

# A datagram of 1500 bytes without its IPv4 and UDP headers (20 + 8).
LARGEST_PAYLOAD = 1472
# Below this a re-packetised unit would be mostly headers.
SMALLEST_PAYLOAD = 128
# Packets; with full packets it is 1.5 GB for one reader already.
LONGEST_QUEUE = 1 << 20


def _address(text: str) -> str:
    ListenAddress.parse(text)
    return text


Address = Annotated[str, AfterValidator(_address)]
"""Text that `ListenAddress.parse` reads."""


class IceServer(Section):
    url: str = key("url", "stun:, turn: or turns: URL", default="")
    username: str = key("username", "user name; AUTH_SECRET makes credentials of limited life", default="")
    password: str = key("password", "password, or the shared secret", default="")
    client_only: Switch = key("clientOnly", "only clients are told of it", default=False)


class GlobalConf(Section):
    # General
    log_level: LogLevel = key("logLevel", "least severe message that is logged", default=LogLevel.INFO)
    log_destinations: LogDestinations = key(
        "logDestinations", "where the log goes", default=(LogDestination.STDOUT,)
    )
    log_file: str = key("logFile", "file of the destination file", default="mediamtx.log")
    sys_log_prefix: str = key("sysLogPrefix", "name in the system log", default="mediamtx")
    read_timeout: Duration = key(
        "readTimeout", "a client that sent nothing for so long is closed", default=10.0
    )
    write_timeout: Duration = key(
        "writeTimeout", "a client that took nothing for so long is closed", default=10.0
    )
    write_queue_size: Whole = key(
        "writeQueueSize",
        "packets that may wait for a reader; a power of two",
        default=512,
        least=1,
        most=LONGEST_QUEUE,
    )
    udp_max_payload_size: Whole = key(
        "udpMaxPayloadSize",
        "bytes in a datagram; a larger packet is split",
        default=LARGEST_PAYLOAD,
        least=SMALLEST_PAYLOAD,
        most=LARGEST_PAYLOAD,
    )
    run_on_connect: str = key("runOnConnect", "command started when a client connects", default="")
    run_on_connect_restart: Switch = key("runOnConnectRestart", "start it again when it ends", default=False)
    run_on_disconnect: str = key("runOnDisconnect", "command run when a client disconnects", default="")

    # Access control
    auth_method: AuthMethod = key(
        "authMethod", "who decides what a client may do", default=AuthMethod.INTERNAL
    )
    auth_internal_users: tuple[AuthInternalUser, ...] = key(
        "authInternalUsers", "users of the method internal", default=DEFAULT_USERS
    )
    auth_http_address: str = key("authHTTPAddress", "URL asked by the method http", default="")
    auth_http_exclude: tuple[AuthInternalUserPermission, ...] = key(
        "authHTTPExclude",
        "what is allowed without asking",
        default=tuple(
            AuthInternalUserPermission(action=action)
            for action in (AuthAction.API, AuthAction.METRICS, AuthAction.PPROF)
        ),
    )
    auth_jwt_jwks: str = key("authJWTJWKS", "URL of the key set of the method jwt", default="")
    auth_jwt_jwks_fingerprint: str = key(
        "authJWTJWKSFingerprint", "SHA-256 of that URL's certificate", default=""
    )
    auth_jwt_claim_key: str = key(
        "authJWTClaimKey", "claim with the permissions", default="mediamtx_permissions"
    )
    auth_jwt_audience: str = key(
        "authJWTAudience",
        "the audience that is ours; a token for another is refused, and any with one while it is empty",
        default="",
    )
    auth_jwt_exclude: tuple[AuthInternalUserPermission, ...] = key(
        "authJWTExclude", "what is allowed without a token", default=()
    )
    auth_jwt_in_http_query: Switch = key("authJWTInHTTPQuery", "take the token from ?jwt= too", default=True)

    # Operator's listener
    api: Switch = key("api", "serve the operator's listener: every control API", default=True)
    api_address: Address = key("apiAddress", "where it listens", default="127.0.0.1:9997")
    api_encryption: HttpEncryption = key("apiEncryption", "HTTPS", default=False)
    api_server_key: str = key("apiServerKey", "its private key (PEM file)", default="server.key")
    api_server_cert: str = key("apiServerCert", "its certificate (PEM file)", default="server.crt")
    api_allow_origin: str = key("apiAllowOrigin", "Access-Control-Allow-Origin it answers with", default="*")
    api_trusted_proxies: Networks = key(
        "apiTrustedProxies", "proxies whose X-Forwarded-For is believed", default=()
    )

    # Metrics
    metrics: Switch = key("metrics", "serve /metrics on a listener of its own too", default=False)
    metrics_address: Address = key("metricsAddress", "where it listens", default=":9998")
    metrics_encryption: HttpEncryption = key("metricsEncryption", "HTTPS", default=False)
    metrics_server_key: str = key("metricsServerKey", "its private key (PEM file)", default="server.key")
    metrics_server_cert: str = key("metricsServerCert", "its certificate (PEM file)", default="server.crt")
    metrics_allow_origin: str = key(
        "metricsAllowOrigin", "Access-Control-Allow-Origin it answers with", default="*"
    )
    metrics_trusted_proxies: Networks = key("metricsTrustedProxies", "proxies that are believed", default=())

    # Profiles
    pprof: Switch = key("pprof", "serve run-time profiles", default=False)
    pprof_address: str = key("pprofAddress", "where they are served", default=":9999")
    pprof_encryption: HttpEncryption = key("pprofEncryption", "HTTPS", default=False)
    pprof_server_key: str = key("pprofServerKey", "its private key (PEM file)", default="server.key")
    pprof_server_cert: str = key("pprofServerCert", "its certificate (PEM file)", default="server.crt")
    pprof_allow_origin: str = key(
        "pprofAllowOrigin", "Access-Control-Allow-Origin it answers with", default="*"
    )
    pprof_trusted_proxies: Networks = key("pprofTrustedProxies", "proxies that are believed", default=())

    # Playback of recordings
    playback: Switch = key("playback", "serve recordings", default=False)
    playback_address: str = key("playbackAddress", "where they are served", default=":9996")
    playback_encryption: HttpEncryption = key("playbackEncryption", "HTTPS", default=False)
    playback_server_key: str = key("playbackServerKey", "its private key (PEM file)", default="server.key")
    playback_server_cert: str = key("playbackServerCert", "its certificate (PEM file)", default="server.crt")
    playback_allow_origin: str = key(
        "playbackAllowOrigin", "Access-Control-Allow-Origin it answers with", default="*"
    )
    playback_trusted_proxies: Networks = key(
        "playbackTrustedProxies", "proxies that are believed", default=()
    )

    # RTSP
    rtsp: Switch = key("rtsp", "serve RTSP", default=True)
    rtsp_transports: RtspTransports = key(
        "rtspTransports",
        "how clients may carry RTP",
        default=(RtspTransport.MULTICAST, RtspTransport.TCP, RtspTransport.UDP),
    )
    rtsp_encryption: Encryption = key(
        "rtspEncryption", "RTSPS: not, beside RTSP, or alone", default=Encryption.NO
    )
    rtsp_address: Address = key("rtspAddress", "where RTSP listens (TCP)", default=":8554")
    rtsps_address: Address = key("rtspsAddress", "where RTSPS listens (TCP)", default=":8322")
    rtp_address: Address = key("rtpAddress", "UDP port of RTP; even", default=":8000")
    rtcp_address: Address = key("rtcpAddress", "UDP port of RTCP; the one after rtpAddress", default=":8001")
    multicast_ip_range: str = key(
        "multicastIPRange", "groups for multicast readers: IPv4, one for each track", default="224.1.0.0/16"
    )
    multicast_rtp_port: Port = key("multicastRTPPort", "their RTP port; even", default=8002)
    multicast_rtcp_port: Port = key(
        "multicastRTCPPort", "their RTCP port; the one after multicastRTPPort", default=8003
    )
    rtsp_server_key: str = key("rtspServerKey", "RTSPS: private key (PEM file)", default="server.key")
    rtsp_server_cert: str = key("rtspServerCert", "RTSPS: certificate chain (PEM file)", default="server.crt")
    rtsp_auth_methods: RtspAuthMethods = key(
        "rtspAuthMethods", "how clients may say who they are", default=(RtspAuthMethod.BASIC,)
    )

    # RTMP
    rtmp: Switch = key("rtmp", "serve RTMP", default=True)
    rtmp_address: str = key("rtmpAddress", "where RTMP listens", default=":1935")
    rtmp_encryption: Encryption = key(
        "rtmpEncryption", "RTMPS: not, beside RTMP, or alone", default=Encryption.NO
    )
    rtmps_address: str = key("rtmpsAddress", "where RTMPS listens", default=":1936")
    rtmp_server_key: str = key("rtmpServerKey", "RTMPS: private key (PEM file)", default="server.key")
    rtmp_server_cert: str = key("rtmpServerCert", "RTMPS: certificate chain (PEM file)", default="server.crt")

    # HLS
    hls: Switch = key("hls", "serve HLS", default=True)
    hls_address: str = key("hlsAddress", "where it listens", default=":8888")
    hls_encryption: HttpEncryption = key("hlsEncryption", "HTTPS", default=False)
    hls_server_key: str = key("hlsServerKey", "its private key (PEM file)", default="server.key")
    hls_server_cert: str = key("hlsServerCert", "its certificate (PEM file)", default="server.crt")
    hls_allow_origin: str = key("hlsAllowOrigin", "Access-Control-Allow-Origin it answers with", default="*")
    hls_trusted_proxies: Networks = key("hlsTrustedProxies", "proxies that are believed", default=())
    hls_always_remux: Switch = key("hlsAlwaysRemux", "make playlists before anyone asks", default=False)
    hls_variant: HlsVariant = key("hlsVariant", "kind of HLS", default=HlsVariant.LOW_LATENCY)
    hls_segment_count: Natural = key("hlsSegmentCount", "segments kept", default=7)
    hls_segment_duration: Duration = key("hlsSegmentDuration", "least length of a segment", default=1.0)
    hls_part_duration: Duration = key("hlsPartDuration", "least length of a part (low latency)", default=0.2)
    hls_segment_max_size: Size = key("hlsSegmentMaxSize", "most bytes of a segment", default=50 * 1024**2)
    hls_directory: str = key("hlsDirectory", "keep segments there, not in memory", default="")
    hls_muxer_close_after: Duration = key(
        "hlsMuxerCloseAfter", "stop making playlists nobody asks for", default=60.0
    )

    # WebRTC
    webrtc: Switch = key("webrtc", "serve WebRTC (WHIP and WHEP)", default=True)
    webrtc_address: str = key("webrtcAddress", "where its HTTP side listens", default=":8889")
    webrtc_encryption: HttpEncryption = key("webrtcEncryption", "HTTPS", default=False)
    webrtc_server_key: str = key("webrtcServerKey", "its private key (PEM file)", default="server.key")
    webrtc_server_cert: str = key("webrtcServerCert", "its certificate (PEM file)", default="server.crt")
    webrtc_allow_origin: str = key(
        "webrtcAllowOrigin", "Access-Control-Allow-Origin it answers with", default="*"
    )
    webrtc_trusted_proxies: Networks = key("webrtcTrustedProxies", "proxies that are believed", default=())
    webrtc_local_udp_address: str = key("webrtcLocalUDPAddress", "ICE over UDP; empty: off", default=":8189")
    webrtc_local_tcp_address: str = key("webrtcLocalTCPAddress", "ICE over TCP; empty: off", default="")
    webrtc_ips_from_interfaces: Switch = key(
        "webrtcIPsFromInterfaces", "offer the addresses of the interfaces", default=True
    )
    webrtc_ips_from_interfaces_list: tuple[str, ...] = key(
        "webrtcIPsFromInterfacesList", "of these interfaces only", default=()
    )
    webrtc_additional_hosts: tuple[str, ...] = key(
        "webrtcAdditionalHosts", "addresses offered besides", default=()
    )
    webrtc_ice_servers2: tuple[IceServer, ...] = key("webrtcICEServers2", "STUN and TURN servers", default=())
    webrtc_handshake_timeout: Duration = key(
        "webrtcHandshakeTimeout", "most time for ICE and DTLS", default=10.0
    )
    webrtc_track_gather_timeout: Duration = key(
        "webrtcTrackGatherTimeout", "most time to see all tracks", default=2.0
    )
    webrtc_stun_gather_timeout: Duration = key(
        "webrtcSTUNGatherTimeout", "most time for STUN answers", default=5.0
    )

    # SRT
    srt: Switch = key("srt", "serve SRT", default=True)
    srt_address: str = key("srtAddress", "where it listens (UDP)", default=":8890")
