from __future__ import annotations

from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate


@pytest.fixture
async def document(operator: httpx.AsyncClient) -> dict[str, Any]:
    answer: dict[str, Any] = (await operator.get("/openapi.json")).json()
    return answer


# Every call that docs/api.md promises.
OPERATIONS = {
    ("get", "/v3/paths/list"),
    ("get", "/v3/paths/get/{name}"),
    *(
        ("get", f"/v3/{kind}{call}")
        for kind in ("rtspconns", "rtspsconns")
        for call in ("/list", "/get/{id}")
    ),
    *(
        ("get", f"/v3/{kind}{call}")
        for kind in ("rtspsessions", "rtspssessions")
        for call in ("/list", "/get/{id}")
    ),
    ("post", "/v3/rtspsessions/kick/{id}"),
    ("post", "/v3/rtspssessions/kick/{id}"),
    ("post", "/v3/auth/jwks/refresh"),
    ("get", "/v3/config/global/get"),
    ("get", "/v3/config/pathdefaults/get"),
    ("get", "/v3/config/paths/list"),
    ("get", "/v3/config/paths/get/{name}"),
    ("patch", "/v3/config/global/patch"),
    ("patch", "/v3/config/pathdefaults/patch"),
    ("post", "/v3/config/paths/add/{name}"),
    ("patch", "/v3/config/paths/patch/{name}"),
    ("post", "/v3/config/paths/replace/{name}"),
    ("delete", "/v3/config/paths/delete/{name}"),
    ("post", "/v3/config/reset"),
    ("get", "/v1"),
    ("get", "/v1/sessions"),
    ("get", "/v1/sessions/{id}"),
    ("delete", "/v1/sessions/{id}"),
    ("get", "/v1/services"),
    ("get", "/v1/services/{id}"),
    ("get", "/api/v1/applications/{application}/clients"),
    ("delete", "/api/v1/applications/{application}/clients"),
    ("get", "/api/v1/applications/{application}/clients/{id}"),
    ("delete", "/api/v1/applications/{application}/clients/{id}"),
    ("get", "/info"),
    ("get", "/session"),
    ("delete", "/session"),
    ("get", "/session/statistics"),
    ("get", "/relay/sessions"),
    ("delete", "/relay/sessions"),
    ("get", "/relay/users"),
    *((method, "/relay/drain") for method in ("get", "post", "delete")),
    ("post", "/relay/credentials"),
    ("get", "/events"),
    ("get", "/metrics"),
    ("get", "/health"),
    ("get", "/health/ready"),
}
BODILESS = {
    ("/v1", "200"),
    ("/v1/sessions/{id}", "204"),
    ("/v1/sessions/{id}", "404"),
    ("/v1/services/{id}", "404"),
    ("/session", "404"),
    ("/session/statistics", "404"),
}
BODILESS_DELETE = {("/session", "200")}


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


async def test_it_is_valid(document: dict[str, Any]) -> None:
    validate(document)


async def test_every_operation_is_there(document: dict[str, Any]) -> None:
    assert {(method, path) for method, path, _ in operations(document)} == OPERATIONS


async def test_every_answer_has_a_schema(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        for status, answer in operation["responses"].items():
            if (path, status) in BODILESS or (method == "delete" and (path, status) in BODILESS_DELETE):
                assert "content" not in answer, (method, path, status)
                continue
            schemas = [content["schema"] for content in answer["content"].values()]
            assert schemas, (method, path, status)
            assert all(schema.get("$ref") or schema.get("type") for schema in schemas), (method, path, status)


async def test_every_operation_says_what_it_does(document: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    for method, path, operation in operations(document):
        assert operation["summary"].strip().endswith("."), (method, path)
        assert set(operation["tags"]) <= tags
        for parameter in operation.get("parameters", ()):
            assert parameter["schema"]["type"] in ("string", "integer", "boolean"), (method, path)


async def test_no_answer_that_is_never_given(document: dict[str, Any]) -> None:
    assert not any("422" in operation["responses"] for _, _, operation in operations(document))
    assert "HTTPValidationError" not in document["components"]["schemas"]


async def test_schemas_hold_every_key(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert len(schemas["GlobalConf"]["properties"]) == 101
    assert "rtspAddress" in schemas["GlobalConf"]["properties"]
    assert "sourceOnDemand" in schemas["PathConf"]["properties"]
    assert next(iter(schemas["RTSPConn"]["properties"])) == "id"
