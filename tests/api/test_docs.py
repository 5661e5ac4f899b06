from __future__ import annotations

import re
from html.parser import HTMLParser

import httpx
import pytest

from headgate.api.docs import reference_page

VOID = {"meta", "br"}


class Page(HTMLParser):
    """Checks that every tag is closed in order; collects what the page refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        given = dict(attrs)
        self.links += [value for name in ("href", "src") if (value := given.get(name))]
        self.ids += [value for value in [given.get("id")] if value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("route", ["/", "/docs"])
async def test_pages_need_nothing_from_elsewhere(operator: httpx.AsyncClient, route: str) -> None:
    answer = await operator.get(route)

    page = Page(answer.text)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert page.tags.isdisjoint({"script", "link", "img", "iframe", "object"})
    assert all(link.startswith(("/", "#")) and not link.startswith("//") for link in page.links)
    assert not re.search(r"@import|url\(", answer.text)


async def test_the_links_of_the_index_lead_somewhere(operator: httpx.AsyncClient) -> None:
    page = Page((await operator.get("/")).text)

    assert "1.2.3" in page.text
    for link in page.links:
        if link != "/events":  # it would never end
            assert (await operator.get(link)).status_code == 200, link


async def test_the_reference_holds_every_operation_and_schema(operator: httpx.AsyncClient) -> None:
    document = (await operator.get("/openapi.json")).json()
    page = Page((await operator.get("/docs")).text)

    for path in document["paths"]:
        assert path in page.text
    assert {f"schema-{name}" for name in document["components"]["schemas"]} <= set(page.ids)
    assert len(set(page.ids)) == len(page.ids)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)


async def test_the_examples_ask_the_server_that_shows_them(operator: httpx.AsyncClient) -> None:
    page = Page((await operator.get("/docs", headers={"host": "127.0.0.1:4711"})).text)
    assert "curl http://127.0.0.1:4711/v3/paths/list" in page.text


def test_text_is_escaped() -> None:
    attack = "<script>alert(1)</script>"
    document = {
        "info": {"title": attack, "version": attack, "description": attack},
        "tags": [{"name": "t", "description": attack}],
        "paths": {
            f"/{attack}": {
                "get": {
                    "tags": ["t"],
                    "summary": attack,
                    "description": attack,
                    "parameters": [
                        {"name": attack, "in": "query", "schema": {"type": attack}, "description": attack}
                    ],
                    "responses": {"200": {"description": attack, "content": {attack: {"schema": {}}}}},
                }
            }
        },
        "components": {
            "schemas": {
                "S": {
                    "description": attack,
                    "properties": {attack: {"enum": [attack], "description": attack}},
                }
            }
        },
    }

    assert "script" not in Page(reference_page(document, origin=attack)).tags
