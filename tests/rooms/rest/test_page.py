"""The web client's files."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from headgate.rooms.rest.app import RoomsApp
from headgate.rooms.rest.page import Files
from tests.rooms.conftest import Open


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "static" / "rooms").mkdir(parents=True)
    (tmp_path / "index.html").write_text('<!doctype html><base href="/"><title>x</title>')
    (tmp_path / "static" / "rooms" / "app-1a2b.js").write_text("export {}" * 50)
    (tmp_path.parent / "secret").write_text("secret")
    return tmp_path


async def test_a_room_is_a_page(open_rooms: Open, site: Path) -> None:
    async with open_rooms(base_path="/meet") as wing:
        app = RoomsApp(wing.server._app.wing, Files(site))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            for path in ("/meet/", "/meet/tea", "/meet/tea/one", "/meet/%F0%9F%AB%96"):
                answer = await http.get(path)
                assert '<base href="/meet/">' in answer.text
                assert "default-src 'self'" in answer.headers["content-security-policy"]
                assert "unsafe-inline" not in answer.headers["content-security-policy"]
            answer = await http.get("/meet/static/rooms/app-1a2b.js", headers={"accept-encoding": "gzip"})
            assert answer.headers["content-type"].startswith("text/javascript")
            assert answer.headers["content-encoding"] == "gzip"
            assert "immutable" in answer.headers["cache-control"]
            etag = {"if-none-match": answer.headers["etag"]}
            assert (await http.get("/meet/static/rooms/app-1a2b.js", headers=etag)).status_code == 304
            for path in ("../../secret", "rooms/nothing.js", "index.html"):
                assert "secret" not in (await http.get(f"/meet/static/{path}")).text
            assert (await http.post("/meet/tea")).status_code == 404
            head = await http.head("/meet/tea")
            assert (head.status_code, head.content) == (200, b"")


async def test_a_policy_of_ones_own(open_rooms: Open, site: Path) -> None:
    async with open_rooms(content_security_policy="default-src 'none'") as wing:
        app = RoomsApp(wing.server._app.wing, Files(site))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
            answer = await http.get("/tea")
            assert answer.headers["content-security-policy"] == "default-src 'none'"
