"""Keys of the top level that MediaMTX does not have, and that its control API does not show."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr

from headgate.core.config.choices import EventType, LogFormat
from headgate.core.config.durations import Duration
from headgate.core.config.networks import Networks
from headgate.core.config.rooms_conf import RoomsConf
from headgate.core.config.scalars import Switch
from headgate.core.config.section import Section, key
from headgate.core.config.turn_conf import TurnConf

__all__ = ["OwnConf", "Webhook"]

SHORTEST_SECRET = 16  # characters


def _url(text: str) -> str:
    # The address itself may be as good as a password, so no text shows it.
    try:
        parts = urlsplit(text)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or not text.isprintable() or " " in text:
        raise ValueError("must be an http:// or https:// URL")
    if "@" in parts.netloc:
        raise ValueError("must not contain a user name or password; the secret signs every request")
    return text


def _secret(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < SHORTEST_SECRET:
        raise ValueError(f"must have at least {SHORTEST_SECRET} characters")
    return value


class Webhook(Section):
    """Neither its URL nor its secret is shown anywhere."""

    url: Annotated[str, AfterValidator(_url)] = key(
        "url", "where events are sent: http:// or https://", default=...
    )
    secret: Annotated[SecretStr, AfterValidator(_secret)] = key(
        "secret", "what requests are signed with; at least 16 characters", default=...
    )
    events: tuple[EventType, ...] = key("events", "which ones; empty is all", default=())


class OwnConf(Section):
    log_format: LogFormat = key("logFormat", "how log lines look", default=LogFormat.TEXT)
    drain_timeout: Duration = key(
        "drainTimeout", "how long sessions may go on after SIGTERM, while no new one is let in", default=0.0
    )
    hooks_from_api: Switch = key(
        "hooksFromAPI",
        "let the control API set hooks, which is to let its users run any command",
        default=False,
    )
    source_networks: Networks = key(
        "sourceNetworks",
        "addresses that sources may have although they are link-local, or this machine's under another name",
        default=(),
    )
    webhooks: tuple[Webhook, ...] = key("webhooks", "who is told of events by HTTP", default=())
    rooms: RoomsConf = key("rooms", "rooms in which people meet; see below", default=RoomsConf())
    turn: TurnConf = key("turn", "the STUN and TURN server; see below", default=TurnConf())
