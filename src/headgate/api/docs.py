"""The pages people see, `/` and `/docs`, rendered here: no script, and nothing from other servers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

__all__ = ["HEADERS", "index_page", "reference_page"]

STYLE = Path(__file__).with_name("docs.css").read_text(encoding="utf-8")

HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}

Node = Mapping[str, Any]
"""A part of an OpenAPI document."""


def index_page(*, version: str) -> str:
    """What a person meets who opens the listener's address."""
    links = [
        ("/docs", "Reference", "every call of every dialect, with its parameters and schemas"),
        ("/openapi.json", "OpenAPI", "the same for programs"),
        ("/v3/paths/list", "Paths", "what is published now, and who reads it"),
        ("/v1/sessions?pretty=true", "Sessions", "everyone who is here"),
        ("/v1/services?pretty=true", "Services", "what listens"),
        ("/events", "Events", "everything that happens, as it happens"),
        ("/metrics", "Metrics", "for Prometheus"),
        ("/health", "Health", "for load balancers"),
    ]
    rows = "".join(
        f'<tr><td><a href="{href}">{name}</a></td><td>{what}</td></tr>' for href, name, what in links
    )
    main = f"<h1>headgate {escape(version)}</h1><p>The operator's listener.</p><table>{rows}</table>"
    return _page("headgate", f'<div class="page"><div></div><main>{main}</main></div>')


def reference_page(document: Node, *, origin: str) -> str:
    """The whole OpenAPI document: operations by dialect, then the schemas.

    `origin` is what the examples ask: the scheme and host that the reader's own request named.
    """
    sections = [_section(tag, document, origin=origin) for tag in document["tags"]]
    names = sorted(document["components"]["schemas"])
    schemas = "".join(_schema_card(name, document["components"]["schemas"][name]) for name in names)
    parts = [escape(tag["name"]) for tag in document["tags"]] + ["schemas"]
    contents = "".join(f'<a href="#{name}">{name}</a>' for name in parts)
    info = document["info"]
    main = (
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>{_prose(info.get('description', ''))}"
        f"{''.join(sections)}"
        f'<h2 id="schemas">schemas</h2><p>The documents that are sent.</p>{schemas}'
    )
    navigation = f'<nav aria-label="Contents"><a href="/">Start</a>{contents}</nav>'
    return _page("headgate: reference", f'<div class="page">{navigation}<main>{main}</main></div>')


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
        f"<body>{body}</body></html>"
    )


def _section(tag: Node, document: Node, *, origin: str) -> str:
    cards = "".join(
        _operation_card(path, method, operation, origin=origin)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if tag["name"] in operation.get("tags", ())
    )
    name = escape(tag["name"])
    return f'<h2 id="{name}">{name}</h2>{_prose(tag["description"])}{cards}'


def _operation_card(path: str, method: str, operation: Node, *, origin: str) -> str:
    parts = [_prose(operation.get("description", ""))]
    if parameters := operation.get("parameters"):
        rows = [
            (
                f"<code>{escape(parameter['name'])}</code>",
                escape(parameter["in"]) + (", required" if parameter.get("required") else ""),
                _type(parameter["schema"]),
                _inline(parameter.get("description", "")),
            )
            for parameter in parameters
        ]
        parts.append("<h3>Parameters</h3>" + _table(("Name", "In", "Type", "Meaning"), rows))
    answers = [
        (escape(status), _body(response), _inline(response.get("description", "")))
        for status, response in operation["responses"].items()
    ]
    parts.append("<h3>Answers</h3>" + _table(("Status", "Body", "When"), answers))
    parts.append(f"<pre><code>{escape(_curl(origin + path, method))}</code></pre>")
    summary = (
        f'<span class="method {method}">{method.upper()}</span><span class="path">{escape(path)}</span>'
        f'<span class="gist">{escape(operation.get("summary", ""))}</span>'
    )
    return f"<details><summary>{summary}</summary><div class=inside>{''.join(parts)}</div></details>"


def _curl(url: str, method: str) -> str:
    flag = "" if method == "get" else f"-X {method.upper()} "
    return f"curl {flag}{url}"


def _body(response: Node) -> str:
    bodies = [
        f"{_type(content.get('schema', {}))}" + ("" if kind == "application/json" else f" ({escape(kind)})")
        for kind, content in response.get("content", {}).items()
    ]
    return ", ".join(bodies) or "none"


def _schema_card(name: str, schema: Node) -> str:
    rows = [
        (
            f"<code>{escape(key)}</code>",
            _type(field) + ("" if key in schema.get("required", ()) else ", optional"),
            _inline(field.get("description", "")),
        )
        for key, field in schema.get("properties", {}).items()
    ]
    fields = _table(("Key", "Type", "Meaning"), rows) if rows else f"<p>{_type(schema)}</p>"
    return (
        f'<details id="schema-{escape(name)}"><summary><span class="path">{escape(name)}</span></summary>'
        f'<div class="inside">{_prose(schema.get("description", ""))}{fields}</div></details>'
    )


def _type(schema: Node) -> str:
    """A schema in a few words; a named one as a link."""
    match schema:
        case {"$ref": str() as reference}:
            name = escape(reference.rpartition("/")[2])
            return f'<a href="#schema-{name}">{name}</a>'
        case {"anyOf": list() as choices} | {"oneOf": list() as choices}:
            return " or ".join(_type(choice) for choice in choices)
        case {"enum": list() as values}:
            return " | ".join(f"<code>{escape(json.dumps(value))}</code>" for value in values)
        case {"const": value}:
            return f"<code>{escape(json.dumps(value))}</code>"
        case {"type": "array", "items": items}:
            return f"list of {_type(items)}"
        case {"type": "array"}:
            return "list"
        case {"type": str() as kind}:
            return escape(kind)
        case _:
            return "anything"


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _prose(text: str) -> str:
    return "".join(f"<p>{_inline(paragraph)}</p>" for paragraph in text.split("\n\n") if paragraph.strip())


def _inline(text: str) -> str:
    """Backticks are all the markup that descriptions use."""
    return re.sub(r"`+([^`]+)`+", r"<code>\1</code>", escape(text))
