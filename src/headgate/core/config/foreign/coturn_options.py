"""coturn's options that have no key of the section `turn`, and what is to be known of each."""

from __future__ import annotations

__all__ = ["REMARKS", "SWITCHED_OFF"]

DATABASE = "there is no database of users; authHTTPAddress asks a server of yours"
LOG = "see logLevel, logDestinations and logFile"
DISCOVERY = (
    "behaviour discovery (RFC 5780) is there where four UDP interfaces are two addresses with the same two"
    " ports"
)
ALWAYS = "is always so"
ADMIN = "the operator's listener is the only one (apiAddress), with its API, sessions and /metrics"
PROCESS = "is for the service manager (systemd)"
TLS = "TLS 1.2 and 1.3 with safe ciphers, and nothing to choose"
OAUTH = "OAuth (RFC 7635) is not built"
LIFETIME = "lifetimes are those of RFC 8656: 600 s, at most 3600; permissions 300; channels 600"
THREADS = "one worker for each processor"
SOCKETS = "each relayed address is a socket of its own"
BATCHES = "the engine has its own batches and buffers, and nothing to choose"

REMARKS: dict[str, str] = {
    "listening-device": "name the addresses instead (interfaces)",
    "relay-device": "name the addresses instead (relayAddresses)",
    **dict.fromkeys(("alt-listening-port", "alt-tls-listening-port"), DISCOVERY),
    **dict.fromkeys(("response-origin-only-with-rfc5780", "no-rfc5780", "rfc5780"), DISCOVERY),
    "tcp-proxy-port": "the PROXY protocol is not built",
    **dict.fromkeys(("relay-threads", "cpus", "ne", "udp-self-balance"), THREADS),
    **dict.fromkeys(("multiplex-peer", "multiplex-peer-port", "multiplex-peer-max-peers"), SOCKETS),
    **dict.fromkeys(("udp-recvmmsg", "udp-recvmmsg-log", "udp-gso", "sock-buf-size"), BATCHES),
    **dict.fromkeys(
        ("verbose", "Verbose", "log-file", "no-stdout-log", "syslog", "simple-log", "syslog-facility"), LOG
    ),
    **dict.fromkeys(("new-log-timestamp", "new-log-timestamp-format", "log-binding", "log-min-level"), LOG),
    "fingerprint": "an answer has one where the request had one",
    "no-auth": "nobody relays without a password here",
    "rest-api-separator": "is always a colon",
    **dict.fromkeys(
        ("userdb", "psql-userdb", "mysql-userdb", "mongo-userdb", "redis-userdb", "secret-key-file"), DATABASE
    ),
    "redis-statsdb": "events are at /events, counters at /metrics",
    "server-name": "is the realm's matter",
    **dict.fromkeys(("oauth", "server-relay"), OAUTH),
    "check-origin-consistency": "ORIGIN is not looked at",
    "bps-capacity": "there is a limit for each allocation (quotas.bytesPerSecond), none for all together",
    "no-udp-relay": "UDP is what is relayed",
    "stateless-nonce": ALWAYS,
    "stateless-nonce-secret": "a nonce is for the process that made it; who has another's is given one",
    "stale-nonce": "a nonce lives for 600 s at most, and is bound to its client",
    **dict.fromkeys(("max-allocate-lifetime", "max-allocate-timeout"), LIFETIME),
    **dict.fromkeys(("channel-lifetime", "permission-lifetime"), LIFETIME),
    "pkey-pwd": "a key is a file without a password, readable to the server alone",
    **dict.fromkeys(
        (
            "cipher-list",
            "CA-file",
            "ec-curve-name",
            "dh566",
            "dh1066",
            "dh2066",
            "dh-file",
            "raw-public-keys",
        ),
        TLS,
    ),
    **dict.fromkeys(("no-tlsv1", "no-tlsv1_1", "no-tlsv1_2", "tls", "tlsv1", "tlsv1_1"), TLS),
    **dict.fromkeys(
        ("tls-alternate-server", "udp-alternate-server", "tcp-alternate-server"),
        "alternateServers are for every transport; name them there",
    ),
    "include-reason-string": "who has shown a password is told a reason, and nobody else",
    "respond-http-unsupported": "what is no STUN is not answered",
    "stun-only": "a relay without relaying is not built",
    "no-stun": "STUN Binding is always answered",
    "secure-stun": "STUN Binding is answered without a password, within answersPerSecond",
    "no-multicast-peers": ALWAYS,
    "allocation-default-address-family": "is IPv4, unless the client asks (RFC 6156)",
    "keep-address-family": "is IPv4, unless the client asks (RFC 6156)",
    **dict.fromkeys(("pidfile", "proc-user", "proc-group", "daemon", "no-daemon"), PROCESS),
    **dict.fromkeys(
        (
            *("cli-ip", "cli-port", "cli-password", "no-cli", "cli", "cli-max-output-sessions"),
            *("web-admin", "web-admin-ip", "web-admin-port", "web-admin-listen-on-workers"),
            *("prometheus", "prometheus-port", "prometheus-address", "prometheus-path"),
        ),
        ADMIN,
    ),
    "prometheus-username-labels": "no label names a user; /relay/users does",
    "no-software-attribute": ALWAYS,
    "no-stun-backward-compatibility": ALWAYS,
    "stun-backward-compatibility": "messages of RFC 3489 are not answered",
    "unauthorized-ratelimit": "is always on (quotas.answersPerSecond)",
    **dict.fromkeys(
        ("unauthorized-ratelimit-rps", "401-req-limit", "401-window", "unauthorized-ratelimit-window"),
        "is quotas.answersPerSecond",
    ),
    "acme-redirect": "is a web server's work",
    "drain-min-allocations": "POST /relay/drain and look at its progress",
    "drop-invalid-packets": ALWAYS,
    "no-drop-invalid-packets": "what is not STUN is never answered",
    "stun-only-rfc5780": DISCOVERY,
}

SWITCHED_OFF = frozenset(
    {
        *("no-auth", "oauth", "stun-only", "no-stun", "secure-stun", "no-udp-relay"),
        *("verbose", "Verbose", "cli", "web-admin", "prometheus", "stun-backward-compatibility"),
        *("no-multicast-peers", "no-cli", "fingerprint", "udp-self-balance", "unauthorized-ratelimit"),
    }
)
"""Switches of which "no" is nothing to speak of."""
