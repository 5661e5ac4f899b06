"""`turn-server.toml` of turn-rs: 3.4's tables (`turn`, `api`) and the newest ones (`server`, `rpc`)."""

from __future__ import annotations

import re
from typing import Any

from headgate.core.config.foreign.translation import Translation

__all__ = ["from_turn_rs"]

MOST_DEEP = 4  # the deepest key there is, an interface's certificate
RANGE = re.compile(r"([0-9]{1,5})\.\.=?([0-9]{1,5})", re.ASCII)
OTHERS = {
    "api": "the operator's listener has this API, at apiAddress: 127.0.0.1:9997 unless said otherwise",
    "rpc": "there is no gRPC; /info, /session, /session/statistics and /events are there, and more in /relay",
    "hooks": "there is no gRPC; events are at /events and webhooks, passwords asked for at authHTTPAddress",
    "log": "see logLevel, logDestinations and logFile",
    "prometheus": "counters are at /metrics",
}
SERVER = {"realm", "interfaces", "port_range"}
AUTH = {"static_credentials", "static_auth_secret", "enable_hooks_auth"}
INTERFACE = {"transport", "bind", "listen", "external", "ssl"}

Table = dict[str, Any]


def from_turn_rs(document: Table, translation: Translation) -> None:
    document = _spelled(document)
    for name in document:
        if name in OTHERS:
            translation.remark(name, OTHERS[name])
        elif name not in {"turn", "server", "auth"}:
            translation.remark(name, "is not known")
    server = _table(document, "server") or _table(document, "turn")
    _server(server, translation)
    _auth(_table(document, "auth"), translation)
    translation.remark(
        "peers", "turn-rs relays between its own clients only; headgate to the public Internet, too (peers)"
    )
    translation.remark("permissions and channels", "they run out after 300 and 600 s, as RFC 8656 says")


def _spelled(value: Any, depth: int = MOST_DEEP) -> Any:
    """Keys of both generations alike: with underscores. Names of users stay as they are."""
    if not isinstance(value, dict) or not depth:
        return value
    return {
        key.replace("-", "_"): item if key.replace("-", "_") == "static_credentials" else _deeper(item, depth)
        for key, item in value.items()
    }


def _deeper(item: Any, depth: int) -> Any:
    if isinstance(item, list):
        return [_spelled(each, depth - 1) for each in item]
    return _spelled(item, depth - 1)


def _table(document: Table, name: str) -> Table:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _server(server: Table, translation: Translation) -> None:
    for name in server:
        if name not in SERVER:
            why = "one worker for each processor" if name == "max_threads" else "is not known"
            translation.remark(name, why)
    if isinstance(realm := server.get("realm"), str):
        translation.keys["realm"] = realm
    if isinstance(ports := server.get("port_range"), str):
        match = RANGE.fullmatch(ports)
        if match is None:
            translation.remark("port-range", "is no range like 49152..65535")
        else:
            translation.keys["relayPortRange"] = f"{match[1]}-{match[2]}"
    interfaces = server.get("interfaces")
    found = [
        interface
        for number, table in enumerate(interfaces if isinstance(interfaces, list) else [], start=1)
        if (interface := _interface(table, number, translation)) is not None
    ]
    unique = {(one["transport"], one["bind"]): one for one in found}
    translation.keys["interfaces"] = list(unique.values())
    if not found:
        translation.remark(
            "interfaces", "there are none, so that nothing listens; take the key out for :3478"
        )


def _interface(table: Any, number: int, translation: Translation) -> Table | None:
    what = f"interface {number}"
    if not isinstance(table, dict):
        translation.remark(what, "is no table")
        return None
    for name in table:
        if name not in INTERFACE:
            why = "TCP clients without an allocation have 30 s" if name == "idle_timeout" else "is not known"
            translation.remark(f"{what}, {name}", why)
    bind = table.get("listen", table.get("bind"))
    transport = table.get("transport")
    if not isinstance(bind, str) or transport not in ("udp", "tcp"):
        translation.remark(what, "has no transport (udp, tcp) or no address")
        return None
    made: Table = {"transport": transport, "bind": bind}
    if isinstance(external := table.get("external"), str) and external != bind:
        made["external"] = external
    if isinstance(ssl := table.get("ssl"), dict) and transport == "tcp":
        made["transport"] = "tls"
        for ours, theirs in (("cert", "certificate_chain"), ("key", "private_key")):
            if isinstance(file := ssl.get(theirs), str):
                made[ours] = file
    return made


def _auth(auth: Table, translation: Translation) -> None:
    for name in auth:
        if name not in AUTH:
            translation.remark(name, "is not known")
    if auth.get("enable_hooks_auth") is True:
        translation.remark("enable-hooks-auth", "ask an HTTP server (authHTTPAddress)")
    users = auth.get("static_credentials")
    if isinstance(users, dict):
        carried = {name: password for name, password in users.items() if isinstance(password, str)}
        if carried:
            translation.keys["users"] = carried
        if len(carried) < len(users):
            translation.remark("static-credentials", "a password is text")
    if isinstance(secret := auth.get("static_auth_secret"), str) and secret:
        translation.keys["authSecrets"] = [secret]
        translation.remark("static-auth-secret", "the time in a name is looked at: it must not be over")
