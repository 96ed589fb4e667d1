"""The HTTP client that every SDK is given: it sends, and what comes back is read by `exchange`.

An SDK is shown an empty answer: it would read the real one without a bound, and leave parts out.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import AsyncIterator
from contextvars import ContextVar
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final

import httpx2

from igny8_core.ai.providers.base import REQUEST_ID

logger = logging.getLogger(__name__)


class UnknownEncoding(Exception):
    """The answer is compressed in a way that nobody asked for."""


class Received:
    """What came back of a call: the response once its headers are there, or why there is none."""

    response: httpx2.Response | None = None
    fault: Exception | None = None

    async def chunks(self, most: int) -> AsyncIterator[bytes]:
        """Of its body, decompressed; one byte more than `most` at the most.

        Raises UnknownEncoding, zlib.error, httpx2.TransportError.
        """
        assert self.response is not None  # noqa: S101 - asked once it is there
        stream = self.response.stream
        assert isinstance(stream, httpx2.AsyncByteStream)  # noqa: S101 - an async client's
        encoding = self.response.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding not in {"identity", "gzip", "deflate"}:
            raise UnknownEncoding(encoding)
        packed = None if encoding == "identity" else zlib.decompressobj(wbits=47)
        left = most + 1
        async for chunk in stream:
            plain = (packed.decompress(chunk, left) if packed else chunk)[:left]
            left -= len(plain)
            yield plain
            if not left:
                return
        if packed and not packed.eof:
            message = "it ends too early"
            raise zlib.error(message)

    async def aclose(self) -> None:
        if self.response is not None:
            await self.response.aclose()


# Of the call that this asyncio task makes.
receiving: Final[ContextVar[Received]] = ContextVar("receiving")


class _Transport(httpx2.AsyncHTTPTransport):
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        received = receiving.get()
        # What is compressed has no bound before it is whole in memory.
        request.headers["Accept-Encoding"] = "identity"
        if request_id := REQUEST_ID.get():
            request.headers["X-Client-Request-Id"] = request_id
        # The whole exchange has one deadline, and it is set around it.
        request.extensions["timeout"] = httpx2.Timeout(None).as_dict()
        try:
            received.response = await super().handle_async_request(request)
        except Exception as fault:
            received.fault = fault
            raise
        logger.info(
            "%s %s: HTTP %d", request.method, request.url.host, received.response.status_code
        )
        return httpx2.Response(200, json={}, request=request)


def client() -> httpx2.AsyncClient:
    """It follows no redirect, keeps no cookie and asks nothing of the environment."""
    return httpx2.AsyncClient(
        transport=_Transport(limits=httpx2.Limits(max_keepalive_connections=100)),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        follow_redirects=False,
        trust_env=False,
    )
