"""The OpenAPI document of the operator's listener: what the routes say, without what they never answer."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

__all__ = ["TAGS", "describe"]

TAGS = [
    {"name": "media", "description": "Paths, RTSP connections and sessions, configuration (MediaMTX, v3)."},
    {"name": "services", "description": "Sessions and services as JSON:API resources (MaxScale, v1)."},
    {"name": "applications", "description": "Clients of an application (Red5 Pro, client control)."},
    {"name": "relay", "description": "The TURN relay: its sessions, as turn-rs shows them, and more."},
    {"name": "events", "description": "Everything that happens, as it happens."},
    {"name": "metrics", "description": "Counters for Prometheus."},
    {"name": "health", "description": "For load balancers and orchestrators."},
]

# FastAPI writes these beside every operation with a parameter. Our parameters arrive as text and
# are judged by the dialect, in its words, so this answer does not exist.
NEVER_ANSWERED = "422"
ELSEWHERE = "The page of another web site asked for it; see `apiAllowOrigin`."
"""Judged before any route, by `OperatorListener`."""
ITS_SCHEMAS = ("HTTPValidationError", "ValidationError")


def describe(app: FastAPI) -> dict[str, Any]:
    """Build the document. Slow (tens of milliseconds): keep it."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        routes=app.routes,
        tags=TAGS,
    )
    for path in document["paths"].values():
        for method, operation in path.items():
            # The routes' docstrings: one line, then perhaps more.
            operation["summary"], _, operation["description"] = operation["description"].partition("\n\n")
            answers = operation["responses"]
            answers.pop(NEVER_ANSWERED, None)
            if method != "get":
                answers.setdefault("403", {**answers["500"], "description": ELSEWHERE})
            operation["responses"] = dict(sorted(answers.items()))
    for name in ITS_SCHEMAS:
        document["components"]["schemas"].pop(name, None)
    return document
