"""Keys that MediaMTX does not have."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from headgate.core import events
from headgate.core.config import GlobalConf, Loaded, OwnConf
from headgate.core.config.choices import EventType, LogFormat

Load = Callable[..., Loaded]
Mistakes = Callable[..., list[str]]
SECRET = "a secret of sixteen or more"


def test_they_stand_beside_the_others(load_text: Load) -> None:
    loaded = load_text(
        f"""\
        logFormat: json
        logLevel: debug
        drainTimeout: 30s
        hooksFromAPI: yes
        webhooks:
        - url: https://example.org/x?key=1
          secret: {SECRET}
          events: [path.ready, session.closed]
        """
    )
    own = loaded.configuration.own
    assert (own.log_format, own.drain_timeout, own.hooks_from_api) == (LogFormat.JSON, 30.0, True)
    (webhook,) = own.webhooks
    assert webhook.url == "https://example.org/x?key=1"
    assert webhook.secret.get_secret_value() == SECRET
    assert webhook.events == (EventType.PATH_READY, EventType.SESSION_CLOSED)
    assert loaded.warnings == ()


def test_the_environment_sets_them_too(load_text: Load) -> None:
    own = load_text(
        HEADGATE_LOGFORMAT="json",
        HEADGATE_WEBHOOKS_0_URL="http://127.0.0.1:1/",
        HEADGATE_WEBHOOKS_0_SECRET=SECRET,
        HEADGATE_WEBHOOKS_0_EVENTS="path.ready,path.notReady",
    ).configuration.own
    assert own.log_format is LogFormat.JSON
    assert [event.value for event in own.webhooks[0].events] == ["path.ready", "path.notReady"]


def test_no_key_is_in_both() -> None:
    assert not OwnConf.names().keys() & GlobalConf.names().keys()


def test_a_webhook_may_ask_for_every_event_there_is() -> None:
    types = {
        cls.TYPE for cls in vars(events).values() if isinstance(cls, type) and issubclass(cls, events.Event)
    }
    assert {event.value for event in EventType} == types - {""}


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x/hidden",
        "file:///hidden",
        "example.org/hidden",
        "http:///hidden",
        "http://user:hidden@x/",
        "http://x:hidden/",
        "http://x/ hidden",
        "http://[hidden/",
    ],
)
def test_only_http_and_no_address_is_told(mistakes: Mistakes, url: str) -> None:
    (line,) = mistakes(f"webhooks: [{{url: '{url}', secret: {SECRET}}}]")
    assert line.startswith("c.yml:1: webhooks[0].url: must")
    assert "hidden" not in line


def test_other_mistakes(mistakes: Mistakes) -> None:
    lines = mistakes(
        """\
        webhooks:
        - {url: 'http://x', secret: hidden}
        - {url: 'http://x', secret: a secret of sixteen or more, events: [path.red]}
        - {url: 'http://x'}
        logFormat: xml
        logFromat: xml
        """
    )
    assert [line.split(": ", 1)[1] for line in lines] == [
        "webhooks[0].secret: must have at least 16 characters",
        next(line for line in lines if "path.red" in line).split(": ", 1)[1],
        "webhooks[2].secret: is missing",
        "logFormat: invalid log format: 'xml' (one of text, json)",
        "logFromat: unknown key (did you mean 'logFormat'?)",
    ]
    assert not any("hidden" in line for line in lines)


def test_a_secret_is_not_shown(load_text: Load) -> None:
    loaded = load_text(f"webhooks: [{{url: 'http://x', secret: {SECRET}}}]")
    assert SECRET not in repr(loaded.configuration)
    assert SECRET not in str(loaded.configuration.own.document())


@pytest.mark.parametrize("key", ["runOnConnect", "runOnDisconnect"])
def test_hooks_must_be_command_lines(mistakes: Mistakes, key: str) -> None:
    assert mistakes(f"{key}: a 'b") == [f"c.yml:1: {key}: is not a command line: no closing quotation"]
    assert mistakes("pathDefaults: {runOnRead: a 'b}")[0].startswith(
        "c.yml:1: pathDefaults.runOnRead: is not"
    )
