"""`turnserver.conf` of coturn (the options of 4.17 and before)."""

from __future__ import annotations

import re
from typing import Any

from headgate.core.config.foreign.coturn_options import REMARKS, SWITCHED_OFF
from headgate.core.config.foreign.ranges import TooMany, parse_range, without
from headgate.core.config.foreign.translation import Translation
from headgate.core.config.networks import Network, parse_network
from headgate.core.config.sizes import format_limit

__all__ = ["from_coturn"]

LINE = re.compile(r"[\s-]*([^\s=]+)[ \t]*=?[ \t]*(.*?)[ \t]*")
NO = frozenset({"0", "no", "off", "false", "n", "f"})
PORT = 3478
TLS_PORT = 5349
FIRST_RELAY_PORT, LAST_RELAY_PORT = 49152, 65535
LOOPBACK = ("127.0.0.0/8", "::1")
ALWAYS_DENIED = tuple(
    parse_network(text)
    for text in ("0.0.0.0/8", "169.254.0.0/16", "::/128", "fe80::/10", "fc00::/7", "fec0::/10")
)
"""By coturn, whatever it is told to allow; carried over, an allowed range must not open them."""

Options = dict[str, list[str]]


def from_coturn(text: str, translation: Translation) -> None:
    options = _parse(text)
    _explain(options, translation)
    keys = translation.keys
    if realm := _last(options, "realm"):
        keys["realm"] = realm
    keys["interfaces"] = _interfaces(options, translation)
    if addresses := _relay_addresses(options, translation):
        keys["relayAddresses"] = addresses
    _relay_ports(options, translation)
    _credentials(options, translation)
    _peers(options, translation)
    _quotas(options, translation)
    if _is_on(options, "rfc5766-channel-numbers"):
        keys["compatibleChannels"] = True
    if _is_on(options, "mobility"):
        keys["mobility"] = True
    if servers := options.get("alternate-server"):
        keys["alternateServers"] = [_with_port(server, PORT) for server in servers]


def _parse(text: str) -> Options:
    options: Options = {}
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = LINE.fullmatch(line.strip())
        if match is not None:
            value = match[2]
            if len(value) > 1 and value[0] == value[-1] == '"':
                value = value[1:-1]
            options.setdefault(match[1], []).append(value)
    return options


def _last(options: Options, name: str) -> str:
    return options.get(name, [""])[-1]


def _is_on(options: Options, name: str) -> bool:
    """Of a switch: that it is written down is enough, but for a no."""
    return name in options and options[name][-1].lower() not in NO


def _number(options: Options, name: str, translation: Translation) -> int | None:
    text = _last(options, name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        translation.remark(name, "is no number")
        return None
    return int(text)


def _explain(options: Options, translation: Translation) -> None:
    """What is not carried over, in the order of the file."""
    for name in options:
        if name in REMARKS and (name not in SWITCHED_OFF or _is_on(options, name)):
            translation.remark(name, REMARKS[name])
        elif name not in REMARKS and name not in CARRIED:
            translation.remark(name, "is not known")


def _interfaces(options: Options, translation: Translation) -> list[dict[str, Any]]:
    port = _number(options, "listening-port", translation) or PORT
    tls_port = _number(options, "tls-listening-port", translation) or TLS_PORT
    has_certificate = bool(_last(options, "cert") and _last(options, "pkey"))
    transports = [(name, port) for name in ("udp", "tcp") if not _is_on(options, f"no-{name}")]
    if has_certificate and not _is_on(options, "no-tls"):
        transports.append(("tls", tls_port))
        translation.remark(
            "cert", f"TLS is served at port {tls_port} only; coturn takes it at the plain port, too"
        )
    if has_certificate and _is_on(options, "dtls") and not _is_on(options, "no-dtls"):
        transports.append(("dtls", tls_port))
    elif has_certificate and not _is_on(options, "no-dtls"):
        translation.remark("dtls", "coturn before 4.17 serves it beside TLS; here an interface for dtls does")
    if not _is_on(options, "no-tcp-relay"):
        translation.remark(
            "TCP relay", "coturn has one unless no-tcp-relay says no; here tcpRelay: yes has one"
        )
    found: list[dict[str, Any]] = []
    for host in options.get("listening-ip", [""]):
        for transport, at in transports:
            found.append({"transport": transport, "bind": f"{_bracketed(host)}:{at}"})
            if external := _external(options, host):
                found[-1]["external"] = external
    for server in options.get("aux-server", []):
        found += [{"transport": name, "bind": server} for name, _ in transports if name in {"udp", "tcp"}]
    for one in found:
        if one["transport"] in {"tls", "dtls"}:
            one["cert"], one["key"] = _last(options, "cert"), _last(options, "pkey")
    unique = {(one["transport"], one["bind"]): one for one in found}
    return list(unique.values())


def _external(options: Options, host: str) -> str:
    """What an address here is called outside; "" stands for any. An external address that is named for none
    holds for all of its family, and for any address IPv4's does: behind NAT it is the one that matters.
    """
    families: dict[bool, str] = {}
    for text in options.get("external-ip", []):
        external, _, here = text.partition("/")
        if here and here == host:
            return external
        if not here:
            families[":" in external] = external
    if host:
        return families.get(":" in host, "")
    return families.get(False) or families.get(True, "")


def _relay_addresses(options: Options, translation: Translation) -> list[dict[str, str]]:
    found: dict[bool, dict[str, str]] = {}
    for host in options.get("relay-ip", []):
        if (":" in host) in found:
            translation.remark("relay-ip", "only the first address of each family is relayed from")
            continue
        found[":" in host] = {"address": host}
        if external := _external(options, host):
            found[":" in host]["external"] = external
    return list(found.values())


def _relay_ports(options: Options, translation: Translation) -> None:
    first, last = (_number(options, name, translation) for name in ("min-port", "max-port"))
    if first is not None or last is not None:
        # Port 0 is none; whoever writes it has the default in mind.
        translation.keys["relayPortRange"] = f"{first or FIRST_RELAY_PORT}-{last or LAST_RELAY_PORT}"


def _credentials(options: Options, translation: Translation) -> None:
    users: dict[str, str] = {}
    hashed = 0
    for text in options.get("user", []):
        name, _, password = text.partition(":")
        if password.startswith("0x"):
            hashed += 1
        else:
            users[name] = password
    if hashed:
        translation.remark(
            "user", f"{hashed} of them have a key (0x…) and no password, and SHA-256 needs the password"
        )
    if users:
        translation.keys["users"] = users
    if secrets := [secret for secret in options.get("static-auth-secret", []) if secret]:
        translation.keys["authSecrets"] = secrets
    elif not users:
        translation.remark(
            "credentials", "there are none in the file; until there are, a secret is made (turn-secret)"
        )


def _peers(options: Options, translation: Translation) -> None:
    allowed, denied = (_ranges(options, f"{which}-peer-ip", translation) for which in ("allowed", "denied"))
    loopback = [parse_network(text) for text in LOOPBACK]
    opens_loopback = _is_on(options, "allow-loopback-peers")
    closed = [*ALWAYS_DENIED, *([] if opens_loopback else loopback)]
    try:
        peers = {
            "allow": without([*allowed, *(loopback if opens_loopback else [])], closed),
            "deny": without(denied, allowed),
        }
    except TooMany:
        translation.remark(
            "allowed-peer-ip, denied-peer-ip", "too many networks; NOTHING of them was taken over"
        )
        return
    if found := {key: [str(network) for network in networks] for key, networks in peers.items() if networks}:
        translation.keys["peers"] = found
    translation.remark(
        "private networks", "coturn relays to them unless they are denied; here peers.allow must name them"
    )


def _ranges(options: Options, name: str, translation: Translation) -> list[Network]:
    found: list[Network] = []
    for text in options.get(name, []):
        try:
            found += parse_range(text)
        except ValueError:
            translation.remark(f"{name}={text}", "is no range of addresses")
    return found


def _quotas(options: Options, translation: Translation) -> None:
    quotas: dict[str, int | str] = {}
    for name, key in (("user-quota", "allocationsPerUser"), ("total-quota", "allocations")):
        limit = _number(options, name, translation)
        if limit is not None:
            quotas[key] = limit
        else:
            translation.remark(name, f"coturn has no limit where it is not set; here it is quotas.{key}")
    rate = _number(options, "max-bps", translation)
    if rate is not None:
        quotas["bytesPerSecond"] = format_limit(2 * rate)
    if rate:
        translation.remark("max-bps", "doubled: coturn counts each direction, headgate both together")
    elif rate is None:
        translation.remark("max-bps", "coturn has no limit where it is not set; here it is 16M")
    if quotas:
        translation.keys["quotas"] = quotas


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _with_port(server: str, port: int) -> str:
    has_port = server.rpartition("]")[2].count(":") == 1
    return server if has_port else f"{_bracketed(server) if not server.startswith('[') else server}:{port}"


CARRIED = frozenset(
    {
        *("listening-port", "tls-listening-port", "listening-ip", "relay-ip", "external-ip", "aux-server"),
        *("min-port", "max-port", "lt-cred-mech", "use-auth-secret", "static-auth-secret", "user", "realm"),
        *("user-quota", "total-quota", "max-bps", "no-udp", "no-tcp", "no-tls", "no-dtls", "dtls"),
        *("cert", "pkey", "alternate-server", "mobility", "allowed-peer-ip", "denied-peer-ip"),
        *("allow-loopback-peers", "rfc5766-channel-numbers", "no-tcp-relay"),
    }
)
