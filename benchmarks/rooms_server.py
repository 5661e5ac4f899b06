"""The servers of rooms under test: how each is configured.

All speak Spreed WebRTC's channelling protocol, in the clear, without users or TURN.
"""

import functools
import secrets
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.server import Place, Role, Server, headgate_command

__all__ = ["find_headgate_rooms", "find_spreed", "rooms_floor"]


def find_headgate_rooms(root: Path) -> Server:
    """The program `make setup` builds. Raises ServerError when there is none."""
    program, version = headgate_command(root)
    return Server("headgate", version, functools.partial(_prepare_headgate, program), role=Role.OURS)


def find_spreed() -> Server | None:
    """The `spreed-webrtc-server` on PATH, if there is one; nobody packages it any more."""
    program = shutil.which("spreed-webrtc-server")
    if program is None:
        return None
    return Server("spreed", "WebRTC", functools.partial(_prepare_spreed, program))


def rooms_floor() -> Server:
    """Python and its event loop with no rooms: whatever comes in goes out."""
    # Outside of the package: nothing of ours is in it.
    program = str(Path(__file__).parent / "rooms_floor.py")

    def prepare(place: Place) -> Sequence[str]:
        return [sys.executable, "-P", program, str(place.port)]

    return Server("floor", "of Python and uvloop", prepare, role=Role.FLOOR)


def _prepare_headgate(program: str, place: Place) -> Sequence[str]:
    off = ("api", "metrics", "playback", "rtsp", "rtmp", "hls", "webrtc", "srt")
    lines = [
        "logLevel: error",
        *(f"{key}: false" for key in off),
        "turn: {interfaces: []}",
        f"rooms: {{address: '127.0.0.1:{place.port}', maxSessions: 100000, stats: yes}}",
    ]
    file = place.folder / "server.yml"
    file.write_text("\n".join(lines) + "\n")
    return [program, "run", str(file)]


def _prepare_spreed(program: str, place: Place) -> Sequence[str]:
    # It does not start without its page; nobody looks at it here.
    (place.folder / "html").mkdir()
    styles = place.folder / "static/css"
    styles.mkdir(parents=True)
    (styles / "main.min.css").touch()
    lines = [
        "[http]",
        f"listen = 127.0.0.1:{place.port}",
        f"root = {place.folder}",
        "stats = true",
        "[app]",
        f"sessionSecret = {secrets.token_hex(32)}",
        f"encryptionSecret = {secrets.token_hex(16)}",
        f"serverToken = {secrets.token_hex(8)}",
        "serverRealm = local",
        "[users]",
        "enabled = false",
    ]
    file = place.folder / "server.conf"
    file.write_text("\n".join(lines) + "\n")
    return [program, "-c", str(file)]
