"""The keys, their order and their defaults; checked against a stock mediamtx.yml of release 1.12.3."""

from __future__ import annotations

import pytest

from headgate.core.config import GlobalConf

DOCUMENT = {
    "logLevel": "info",
    "logDestinations": ["stdout"],
    "logFile": "mediamtx.log",
    "sysLogPrefix": "mediamtx",
    "readTimeout": "10s",
    "writeTimeout": "10s",
    "writeQueueSize": 512,
    "udpMaxPayloadSize": 1472,
    "runOnConnect": "",
    "runOnConnectRestart": False,
    "runOnDisconnect": "",
    "authMethod": "internal",
    "authInternalUsers": [
        {
            "user": "any",
            "pass": "",
            "ips": [],
            "permissions": [
                {"action": "publish", "path": ""},
                {"action": "read", "path": ""},
                {"action": "playback", "path": ""},
            ],
        },
        {
            "user": "any",
            "pass": "",
            "ips": ["127.0.0.1/32", "::1/128"],
            "permissions": [
                {"action": "api", "path": ""},
                {"action": "metrics", "path": ""},
                {"action": "pprof", "path": ""},
            ],
        },
    ],
    "authHTTPAddress": "",
    "authHTTPExclude": [
        {"action": "api", "path": ""},
        {"action": "metrics", "path": ""},
        {"action": "pprof", "path": ""},
    ],
    "authJWTJWKS": "",
    "authJWTJWKSFingerprint": "",
    "authJWTClaimKey": "mediamtx_permissions",
    "authJWTAudience": "",
    "authJWTExclude": [],
    "authJWTInHTTPQuery": True,
    "api": True,
    "apiAddress": "127.0.0.1:9997",
    "apiEncryption": False,
    "apiServerKey": "server.key",
    "apiServerCert": "server.crt",
    "apiAllowOrigin": "*",
    "apiTrustedProxies": [],
    "metrics": False,
    "metricsAddress": ":9998",
    "metricsEncryption": False,
    "metricsServerKey": "server.key",
    "metricsServerCert": "server.crt",
    "metricsAllowOrigin": "*",
    "metricsTrustedProxies": [],
    "pprof": False,
    "pprofAddress": ":9999",
    "pprofEncryption": False,
    "pprofServerKey": "server.key",
    "pprofServerCert": "server.crt",
    "pprofAllowOrigin": "*",
    "pprofTrustedProxies": [],
    "playback": False,
    "playbackAddress": ":9996",
    "playbackEncryption": False,
    "playbackServerKey": "server.key",
    "playbackServerCert": "server.crt",
    "playbackAllowOrigin": "*",
    "playbackTrustedProxies": [],
    "rtsp": True,
    "rtspTransports": ["multicast", "tcp", "udp"],
    "rtspEncryption": "no",
    "rtspAddress": ":8554",
    "rtspsAddress": ":8322",
    "rtpAddress": ":8000",
    "rtcpAddress": ":8001",
    "multicastIPRange": "224.1.0.0/16",
    "multicastRTPPort": 8002,
    "multicastRTCPPort": 8003,
    "rtspServerKey": "server.key",
    "rtspServerCert": "server.crt",
    "rtspAuthMethods": ["basic"],
    "rtmp": True,
    "rtmpAddress": ":1935",
    "rtmpEncryption": "no",
    "rtmpsAddress": ":1936",
    "rtmpServerKey": "server.key",
    "rtmpServerCert": "server.crt",
    "hls": True,
    "hlsAddress": ":8888",
    "hlsEncryption": False,
    "hlsServerKey": "server.key",
    "hlsServerCert": "server.crt",
    "hlsAllowOrigin": "*",
    "hlsTrustedProxies": [],
    "hlsAlwaysRemux": False,
    "hlsVariant": "lowLatency",
    "hlsSegmentCount": 7,
    "hlsSegmentDuration": "1s",
    "hlsPartDuration": "200ms",
    "hlsSegmentMaxSize": "50M",
    "hlsDirectory": "",
    "hlsMuxerCloseAfter": "1m0s",
    "webrtc": True,
    "webrtcAddress": ":8889",
    "webrtcEncryption": False,
    "webrtcServerKey": "server.key",
    "webrtcServerCert": "server.crt",
    "webrtcAllowOrigin": "*",
    "webrtcTrustedProxies": [],
    "webrtcLocalUDPAddress": ":8189",
    "webrtcLocalTCPAddress": "",
    "webrtcIPsFromInterfaces": True,
    "webrtcIPsFromInterfacesList": [],
    "webrtcAdditionalHosts": [],
    "webrtcICEServers2": [],
    "webrtcHandshakeTimeout": "10s",
    "webrtcTrackGatherTimeout": "2s",
    "webrtcSTUNGatherTimeout": "5s",
    "srt": True,
    "srtAddress": ":8890",
}


def test_every_key_in_order_with_its_default() -> None:
    document = GlobalConf().document()
    assert list(document) == list(DOCUMENT)
    assert len(document) == 101
    assert document == DOCUMENT


@pytest.mark.parametrize("key", ["rtspAddress", "apiAddress", "metricsAddress", "rtpAddress"])
def test_addresses_of_listeners_are_checked(key: str) -> None:
    with pytest.raises(ValueError, match="invalid address"):
        GlobalConf.model_validate({key: "nowhere"})


def test_a_document_reads_back_as_the_same_configuration() -> None:
    conf = GlobalConf(write_queue_size=1024, hls_segment_max_size=3 << 19, rtsp_transports=("udp",))
    assert GlobalConf.model_validate(conf.document()) == conf
