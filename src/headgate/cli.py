"""The command line: run, check, import, config, sessions, kick, version.

Only click is imported at the top. Everything heavy is imported by the command
that needs it, so that `headgate --help` answers within 200 ms.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from headgate.core.config import Loaded

__all__ = ["main"]

API_VARIABLE = "HEADGATE_API"
DEFAULT_API = "http://127.0.0.1:9997"
ANSWER_TIMEOUT = 10.0  # seconds
ANSWER_LIMIT = 64 << 20  # bytes; a hundred thousand sessions

# A number, a UUID, or the 13 characters of the applications dialect (core/session.py).
SESSION_ID = re.compile(r"[0-9]{1,19}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[A-Z0-9]{13}")

COLUMNS = ("id", "service", "role", "target", "user", "remote", "state", "connected", "received", "sent")
RIGHT = frozenset({"id", "received", "sent"})
UNITS = ("B", "kB", "MB", "GB", "TB", "PB")

file_argument = click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))


def _default_api() -> str:
    """HEADGATE_API, unless it is a yes or no: then it is the configuration key `api` and not for us."""
    value = os.environ.get(API_VARIABLE, "")
    return value if "://" in value else DEFAULT_API


def _check_api(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise click.BadParameter("must be a URL like http://127.0.0.1:9997")
    return value.rstrip("/")


api_option = click.option(
    "--api",
    metavar="URL",
    default=_default_api,
    callback=_check_api,
    show_default=f"${API_VARIABLE}, else {DEFAULT_API}",
    help="The operator's listener of a running server; http://user:password@… where it asks for them.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """headgate: one server for live sessions."""


@main.command()
@file_argument
def run(file: Path | None) -> None:
    """Start the server with the configuration FILE.

    Without FILE: headgate.yml or mediamtx.yml of this directory, then the
    user's and the system's, then the defaults.
    """
    from headgate.core.config import Startup
    from headgate.core.errors import ConfigurationError, ListenError, LogError

    try:
        startup = Startup.load(file)
    except ConfigurationError as error:
        _fail(*error.mistakes)
    if startup.file is not None:
        click.echo(f"configuration: {startup.file}")
    if startup.layers.changes and startup.state is not None:
        click.echo(f"changed through the API: {startup.state.path}")
    for warning in startup.warnings:
        click.echo(f"warning: {warning}", err=True)

    from headgate.server import run as serve

    try:
        status = serve(startup)
    except (ListenError, LogError) as error:
        _fail(str(error))
    sys.exit(status)


@main.command()
@file_argument
def check(file: Path | None) -> None:
    """Tell every mistake of the configuration FILE."""
    loaded = _load(file)
    _warn(loaded)
    click.echo(f"{loaded.file or 'no file, the defaults'}: ok")


@main.command()
@api_option
def sessions(api: str) -> None:
    """List the sessions of a running server."""
    answer = _ask(api, "GET", "/v1/sessions")
    try:
        rows = [_row(resource) for resource in answer["data"]]
    except (KeyError, TypeError, AttributeError):
        _fail(f"{_login(api)[0]} did not answer with a list of sessions; is it a headgate?")
    for line in _table(rows):
        click.echo(line)


@main.command()
@click.argument("session", metavar="ID")
@api_option
def kick(session: str, api: str) -> None:
    """End the session ID: its number, UUID, or 13-character code."""
    if SESSION_ID.fullmatch(session) is None:
        raise click.BadParameter("must be a number, a UUID or a 13-character code", param_hint="ID")
    _ask(api, "DELETE", f"/v1/sessions/{session}", missing=f"no session {session}")
    click.echo(f"session {session}: kicked")


@main.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def import_(file: Path) -> None:
    """Print another relay's configuration as ours.

    FILE is coturn's turnserver.conf or, where it ends in .toml, one of turn-rs. Comments say what
    could not be carried over, and why.
    """
    from headgate.core.config.foreign import ForeignError, translate

    try:
        click.echo(translate(file), nl=False)
    except ForeignError as error:
        _fail(_printable(str(error)))


@main.group()
def config() -> None:
    """What was changed through the API, on top of the file."""


@config.command()
@file_argument
def diff(file: Path | None) -> None:
    """Show how the configuration differs from FILE.

    Changes made through the API survive a restart; this lists them. FILE is found as for run.
    """
    from headgate.core.config.difference import differences
    from headgate.core.config.startup import kept
    from headgate.core.errors import ConfigurationError

    try:
        layers, state = kept(file)
    except ConfigurationError as error:
        _fail(*error.mistakes)
    except (OSError, ValueError) as error:
        _fail(f"the changes cannot be read: {error}")
    for line in differences(layers.base, layers.configuration):
        click.echo(_printable(line))
    click.echo(f"kept in {state.path}" if layers.changes else "no changes", err=True)


@config.command()
@file_argument
@api_option
def reset(file: Path | None, api: str) -> None:
    """Drop what was changed through the API, so that FILE alone holds again.

    A server that runs with FILE is asked to do it, at --api, and does it at once.
    """
    from headgate.core.config import StateFile, find_file, state_directory

    state = StateFile(state_directory(os.environ), file or find_file())
    try:
        with state:
            state.clear()
    except BlockingIOError:
        _ask(api, "POST", "/v3/config/reset")
    except OSError as error:
        _fail(f"{state.path}: {(error.strerror or str(error)).lower()}")
    click.echo("the configuration is what the file says")


@main.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as installed

    click.echo(f"headgate {installed('headgate')}")


def _load(file: Path | None) -> Loaded:
    from headgate.core.config import load
    from headgate.core.errors import ConfigurationError

    try:
        return load(file)
    except ConfigurationError as error:
        _fail(*error.mistakes)


def _warn(loaded: Loaded) -> None:
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)


def _fail(*lines: str) -> NoReturn:
    for line in lines:
        click.echo(line, err=True)
    sys.exit(1)


def _ask(api: str, method: str, path: str, *, missing: str = "not found") -> Any:
    """One request to the operator's listener: its JSON, or None for an empty answer.

    Where there is none, the program ends and says why.
    """
    import json
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import ProxyHandler, Request, build_opener

    api, headers = _login(api)
    request = Request(api + path, method=method, headers=headers)  # noqa: S310 - checked by _check_api
    try:
        # No proxy: the listener is on loopback, and a proxy's answer would be taken for the server's.
        with build_opener(ProxyHandler({})).open(request, timeout=ANSWER_TIMEOUT) as response:
            body = response.read(ANSWER_LIMIT + 1)
    except HTTPError as error:
        with error:
            _fail(
                missing
                if error.code == 404
                else f"{api} refused: {_detail(error.read(65536)) or error.reason}"
            )
    except URLError as error:
        reason = getattr(error.reason, "strerror", None) or error.reason
        _fail(f"no server answers at {api}: {reason}. Is it running, and its key api on?")
    except (OSError, ValueError, HTTPException) as error:
        _fail(f"no good answer from {api}: {error}")
    if len(body) > ANSWER_LIMIT:
        _fail(f"the answer of {api} is larger than {ANSWER_LIMIT >> 20} MiB")
    try:
        return json.loads(body) if body else None
    except ValueError:
        _fail(f"{api} did not answer in JSON; is it a headgate?")


def _login(api: str) -> tuple[str, dict[str, str]]:
    """The URL without the user and password in it, and the headers that say them instead."""
    import base64
    from urllib.parse import unquote

    headers = {"Accept": "application/json"}
    scheme, _, rest = api.partition("://")
    login, at, host = rest.rpartition("@")
    if at:
        headers["Authorization"] = "Basic " + base64.b64encode(unquote(login).encode()).decode()
    return f"{scheme}://{host}", headers


def _detail(body: bytes) -> str:
    """The text of an error of `/v1` or `/v3`, or nothing."""
    import json

    try:
        document = json.loads(body)
        return str(document["error"] if "error" in document else document["errors"][0]["detail"])
    except (ValueError, KeyError, TypeError, IndexError):
        return ""


def _row(resource: Any) -> dict[str, str]:
    attributes = resource["attributes"]
    services = resource.get("relationships", {}).get("services", {}).get("data", [])
    remote, port = attributes.get("remote"), attributes.get("port")
    # A listener has a port of its own and nobody at the other end.
    listening = None if remote or port is None else f":{port} {attributes.get('transport', '')}"
    texts = {
        "id": resource["id"],
        "target": attributes.get("target") or listening,
        "service": services[0]["id"] if services else attributes.get("protocol"),
        "remote": _endpoint(remote, port),
        "received": _bytes(attributes.get("bytes_received")),
        "sent": _bytes(attributes.get("bytes_sent")),
    }
    return {column: _printable(texts.get(column, attributes.get(column))) for column in COLUMNS}


def _endpoint(host: Any, port: Any) -> Any:
    if host is None or port is None:
        return host
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


def _bytes(count: Any) -> str | None:
    """ "1.5 MB"; decimal units, as bit rates have."""
    if not isinstance(count, int):
        return None
    if count < 1000:
        return f"{count} B"
    size, unit = float(count), 0
    while size >= 999.95 and unit < len(UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.1f} {UNITS[unit]}"


def _printable(value: Any) -> str:
    """Path names and user names come from clients: they must not reach the terminal as commands."""
    text = "" if value is None else str(value)
    return "".join(char if char.isprintable() else "?" for char in text) or "-"


def _table(rows: list[dict[str, str]]) -> list[str]:
    header = {column: column.upper() for column in COLUMNS}
    widths = {column: max(len(row[column]) for row in (header, *rows)) for column in COLUMNS}
    return [
        "  ".join(
            row[column].rjust(widths[column]) if column in RIGHT else row[column].ljust(widths[column])
            for column in COLUMNS
        ).rstrip()
        for row in (header, *rows)
    ]
