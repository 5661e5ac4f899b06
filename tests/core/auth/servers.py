"""Other people's servers, in the test's own event loop: an authentication backend, a key set."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

__all__ = ["Backend", "Issuer", "serve"]


@asynccontextmanager
async def serve(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]], *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """The URL of a server that answers everything so."""
    runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"{'https' if tls else 'http'}://{host}:{port}/auth"
    finally:
        await runner.cleanup()


class Backend:
    """Decides as the test says, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.delay = 0.0
        self.hangs = False
        self.decide: Callable[[dict[str, Any]], int] = lambda _: 200

    async def answer(self, request: web.Request) -> web.StreamResponse:
        document = await request.json()
        self.asked.append(document)
        if self.hangs:
            await asyncio.Event().wait()
        await asyncio.sleep(self.delay)
        return web.Response(status=self.decide(document))


class Issuer:
    """Signs tokens, and publishes the keys."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.kid = "first"
        self.fetches = 0
        self.fails = False
        self.hangs = False

    async def answer(self, _: web.Request) -> web.StreamResponse:
        self.fetches += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.fails:
            return web.Response(status=500)
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return web.json_response({"keys": [{"kty": "oct", "k": "AA"}, {**public, "kid": self.kid}]})

    def claims(self, **changes: Any) -> dict[str, Any]:
        claims = {
            "sub": "alice",
            "exp": time.time() + 600,
            "mediamtx_permissions": [{"action": "read", "path": "cam"}],
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, *, headers: dict[str, Any] | None = None, **changes: Any) -> str:
        named = {"kid": self.kid, **(headers or {})}
        return jwt.encode(self.claims(**changes), self.key, algorithm="RS256", headers=named)
