"""The HTTP client with which other servers are asked who may do what."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from headgate.core.config.secrets import redacted_url
from headgate.core.errors import Unavailable

if TYPE_CHECKING:  # importing it takes as long as the rest of the start, and few configurations need it
    import aiohttp

__all__ = ["CONNECTIONS", "TIMEOUT", "TURN_TIMEOUT", "Outbound"]

logger = logging.getLogger(__name__)

CONNECTIONS = 32
"""Questions under way at once."""
TURN_TIMEOUT = 2.0
"""Seconds others wait for their turn, before they are refused."""
TIMEOUT = 5.0
"""Seconds for a whole answer; the player of a client that waits longer has given up."""
BODY_LIMIT = 1 << 20


class Outbound:
    """Opened by its first use; `close` it. Follows no redirects and no proxies of the environment."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._turns = asyncio.Semaphore(CONNECTIONS)

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def post(self, url: str, document: Mapping[str, Any]) -> int:
        """The answer's status. Raises Unavailable."""
        async with (
            self._asking(url) as session,
            session.post(url, json=document, allow_redirects=False) as answer,
        ):
            await _body(answer)  # so that the connection can be used again
            return answer.status

    async def post_for(self, url: str, document: Mapping[str, Any]) -> tuple[int, bytes]:
        """The answer's status and body; an empty one where it is too large. Raises Unavailable."""
        async with (
            self._asking(url) as session,
            session.post(url, json=document, allow_redirects=False) as answer,
        ):
            return answer.status, await _body(answer) or b""

    async def get(self, url: str, *, fingerprint: str) -> bytes:
        """The body of a 200 answer. Raises Unavailable.

        `fingerprint`: SHA-256 of the server's certificate, in hexadecimal, which then needs no other
        guarantor.
        """
        import aiohttp

        async with self._asking(url) as session:
            pinned = aiohttp.Fingerprint(bytes.fromhex(fingerprint.replace(":", ""))) if fingerprint else True
            async with session.get(url, ssl=pinned, allow_redirects=False) as answer:
                body = await _body(answer)
                if answer.status != 200 or body is None:
                    logger.warning("%s answered %d, which is no help", redacted_url(url), answer.status)
                    raise Unavailable
                return body

    @asynccontextmanager
    async def _asking(self, url: str) -> AsyncIterator[aiohttp.ClientSession]:
        import aiohttp

        try:
            async with asyncio.timeout(TURN_TIMEOUT):
                await self._turns.acquire()
        except TimeoutError:
            raise Unavailable from None
        try:
            async with asyncio.timeout(TIMEOUT):
                yield self._open()
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # Its own text may repeat the URL, with the password in it.
            what = getattr(error, "strerror", None) or type(error).__name__
            logger.warning("cannot ask %s: %s", redacted_url(url), what)
            raise Unavailable from None
        finally:
            self._turns.release()

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "headgate", "Accept-Encoding": "identity"},
                auto_decompress=False,  # a small answer must not become a large one
            )
        return self._session


async def _body(answer: aiohttp.ClientResponse) -> bytes | None:
    """None where it is too large; then the connection is not used again."""
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > BODY_LIMIT:
            answer.close()
            return None
    return bytes(body)
