"""The program, run as a user runs it; for `sessions` and `kick` against a small HTTP server."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from headgate.cli import _login, main

UUID = "0d3a8f5e-6d0c-4f5b-9c57-6a3ba0f3f2b1"


@pytest.fixture
def headgate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Call the program in an empty directory, with an environment that has nothing of ours."""
    for variable in ("HEADGATE_API", "HEADGATE_STATE_DIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def headgate(*arguments: str, **environ: str) -> Result:
        return CliRunner().invoke(main, arguments, env=environ, catch_exceptions=False)

    return headgate


# What the stand-in for a server answers: status, body.
Answer = tuple[int, bytes]


@contextmanager
def operators_listener(answers: dict[str, Answer]) -> Iterator[tuple[str, list[str]]]:
    """A real HTTP listener on loopback: its URL, and the request lines it got."""
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            line = f"{self.command} {self.path}"
            requests.append(line)
            status, body = answers.get(line, (404, b""))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_DELETE = answer  # noqa: N815 - http.server's names

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", requests
        finally:
            server.shutdown()
            thread.join()


def listing(*attributes: dict[str, object]) -> dict[str, Answer]:
    resources = [
        {
            "id": str(number),
            "type": "sessions",
            "attributes": values,
            "relationships": {"services": {"data": [{"id": "RTSP", "type": "services"}]}},
        }
        for number, values in enumerate(attributes, start=1)
    ]
    return {"GET /v1/sessions": (200, json.dumps({"data": resources}).encode())}


def test_help_names_the_commands_and_imports_nothing_heavy() -> None:
    script = (
        "import sys, headgate.cli\n"
        "try: headgate.cli.main(['--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "heavy = {'pydantic', 'ruamel', 'fastapi', 'uvicorn', 'asyncio', 'headgate.engine'}\n"
        "print(sorted(heavy & sys.modules.keys()))\n"
    )
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    for command in ("run", "check", "import", "sessions", "kick", "version"):
        assert f"\n  {command} " in output
    assert output.splitlines()[-1] == "[]"


def test_check_says_ok(headgate: Callable[..., Result]) -> None:
    Path("good.yml").write_text("logLevel: debug\n")
    result = headgate("check", "good.yml")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "good.yml: ok\n", "")
    assert headgate("check").stdout == "no file, the defaults: ok\n"


def test_check_tells_every_mistake(headgate: Callable[..., Result]) -> None:
    Path("bad.yml").write_text("logLevel: loud\nreadTimeot: 1s\n")
    result = headgate("check", "bad.yml", HEADGATE_RTSP="maybe")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert [line.split(": ")[0] for line in result.stderr.splitlines()] == [
        "bad.yml:1",
        "bad.yml:2",
        "HEADGATE_RTSP",
    ]


def test_check_warns(headgate: Callable[..., Result]) -> None:
    Path("c.yml").write_text("hlsVariant: fmp4\n")
    result = headgate("check", "c.yml")
    assert result.exit_code == 0
    assert result.stderr == "warning: c.yml:1: hlsVariant: has no effect yet (HLS is not built)\n"


def test_a_file_that_is_not_there(headgate: Callable[..., Result]) -> None:
    result = headgate("run", "none.yml")
    assert result.exit_code == 1
    assert result.stderr == "none.yml: cannot be read: no such file or directory\n"


def test_run_refuses_to_leave_anybody_in_false_safety(headgate: Callable[..., Result]) -> None:
    Path("c.yml").write_text("apiEncryption: yes\n")
    result = headgate("run", "c.yml")
    assert result.exit_code == 1
    assert "headgate refuses to answer operators in the clear" in result.stderr


def test_import_prints_a_configuration(headgate: Callable[..., Result]) -> None:
    Path("turnserver.conf").write_text("realm=example.org\nuser=ann:b\nno-cli\n")
    result = headgate("import", "turnserver.conf")
    assert (result.exit_code, result.stderr) == (0, "")
    Path("headgate.yml").write_text(result.stdout)
    assert headgate("check").exit_code == 0
    assert "# - no-cli: " in result.stdout


def test_import_says_what_it_cannot_read(headgate: Callable[..., Result]) -> None:
    Path("bad.toml").write_text("a = = b")
    result = headgate("import", "bad.toml")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("bad.toml: not TOML")


def test_a_command_that_is_not_there(headgate: Callable[..., Result]) -> None:
    assert headgate("fly").exit_code == 2


def test_sessions_prints_a_table(headgate: Callable[..., Result]) -> None:
    answers = listing(
        {
            "state": "Listener Session",
            "connected": "Wed May 17 10:06:35 2017",
            "port": 8554,
            "transport": "TCP",
        },
        {
            "state": "Session ready for routing",
            "connected": "Wed May 17 10:07:00 2017",
            "role": "publish",
            "target": "cam",
            "user": "bob",
            "remote": "::1",
            "port": 50000,
            "bytes_received": 1_500_000,
            "bytes_sent": 12,
        },
    )
    with operators_listener(answers) as (url, _):
        result = headgate("sessions", "--api", url)
    assert result.exit_code == 0
    header, first, second = result.stdout.splitlines()
    assert header.split() == [
        "ID", "SERVICE", "ROLE", "TARGET", "USER", "REMOTE", "STATE", "CONNECTED", "RECEIVED", "SENT",
    ]  # fmt: skip
    assert "Listener Session" in first
    assert ":8554 TCP" in first
    for text in ("RTSP", "publish", "cam", "bob", "[::1]:50000", "1.5 MB", "12 B"):
        assert text in second
    assert header.index("STATE") == first.index("Listener") == second.index("Session ready")


def test_no_sessions(headgate: Callable[..., Result]) -> None:
    with operators_listener(listing()) as (url, _):
        assert headgate("sessions", HEADGATE_API=url).stdout.split()[0] == "ID"


def test_what_clients_chose_cannot_command_the_terminal(headgate: Callable[..., Result]) -> None:
    with operators_listener(listing({"target": "a\x1b]0;b\x07\nc", "state": "x"})) as (url, _):
        output = headgate("sessions", "--api", url).stdout
    assert "a?]0;b??c" in output
    assert "\x1b" not in output


@pytest.mark.parametrize("session", ["7", UUID, UUID.upper(), "ABCDEFGH12345"])
def test_kick(headgate: Callable[..., Result], session: str) -> None:
    with operators_listener({f"DELETE /v1/sessions/{session}": (204, b"")}) as (url, requests):
        result = headgate("kick", session, "--api", f"{url}/")
    assert requests == [f"DELETE /v1/sessions/{session}"]
    assert (result.exit_code, result.stdout) == (0, f"session {session}: kicked\n")


@pytest.mark.parametrize("session", ["", "x", "-1", "1/2", "abcdefgh12345", "../7", "7?x"])
def test_kick_needs_an_id(headgate: Callable[..., Result], session: str) -> None:
    with operators_listener({}) as (url, requests):
        assert headgate("kick", "--api", url, "--", session).exit_code == 2
    assert requests == []


def test_kick_of_what_is_not_there(headgate: Callable[..., Result]) -> None:
    with operators_listener({}) as (url, _):
        result = headgate("kick", "7", "--api", url)
    assert (result.exit_code, result.stderr) == (1, "no session 7\n")


def test_kick_of_a_listener(headgate: Callable[..., Result]) -> None:
    body = json.dumps({"errors": [{"detail": "1 is a listener"}]}).encode()
    with operators_listener({"DELETE /v1/sessions/1": (403, body)}) as (url, _):
        result = headgate("kick", "1", "--api", url)
    assert (result.exit_code, result.stderr) == (1, f"{url} refused: 1 is a listener\n")


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b"{}", b'{"data": [1]}', b'{"data": [{"id": "1"}]}', b"\xff"]
)
def test_what_is_no_headgate(headgate: Callable[..., Result], body: bytes) -> None:
    with operators_listener({"GET /v1/sessions": (200, body)}) as (url, _):
        result = headgate("sessions", "--api", url)
    assert result.exit_code == 1
    assert "is it a headgate?" in result.stderr


def test_nobody_there(headgate: Callable[..., Result]) -> None:
    with operators_listener({}) as (url, _):
        pass
    result = headgate("sessions", "--api", url)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"no server answers at {url}: ")


def test_a_proxy_is_not_asked(headgate: Callable[..., Result]) -> None:
    with operators_listener({}) as (proxy, asked), operators_listener(listing()) as (url, _):
        assert headgate("sessions", "--api", url, http_proxy=proxy).exit_code == 0
    assert asked == []


def test_the_api_must_be_a_url(headgate: Callable[..., Result]) -> None:
    assert headgate("sessions", "--api", "127.0.0.1:9997").exit_code == 2
    assert headgate("sessions", "--api", "file:///etc/passwd").exit_code == 2


def test_the_key_api_in_the_environment_is_no_url(headgate: Callable[..., Result]) -> None:
    result = headgate("check", HEADGATE_API="no")
    assert result.exit_code == 0


def test_a_port_that_is_taken_is_one_line_naming_service_and_key(headgate: Callable[..., Result]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        Path("c.yml").write_text(
            f"rtspAddress: 127.0.0.1:{port}\nrtpAddress: :0\nrtcpAddress: :0\napiAddress: 127.0.0.1:0\n"
        )
        result = subprocess.run(
            [sys.executable, "-m", "headgate", "run", "c.yml"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert "RTSP" in line
    assert "rtspAddress" in line
    assert str(port) in line


def test_version(headgate: Callable[..., Result]) -> None:
    assert re.fullmatch(r"headgate [0-9]+\.[0-9]+\.[0-9]+\n", headgate("version").stdout)


def test_a_login_in_the_url_is_sent_as_one_and_not_shown(headgate: Callable[..., Result]) -> None:
    api = "http://ops:s%40cret@127.0.0.1:9"
    assert _login(api) == (
        "http://127.0.0.1:9",
        {"Accept": "application/json", "Authorization": "Basic b3BzOnNAY3JldA=="},
    )
    refused = headgate("sessions", "--api", api)
    assert refused.exit_code == 1
    assert "s%40cret" not in refused.output
