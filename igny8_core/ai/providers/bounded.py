"""An HTTP client for an SDK that reads whole answers itself: bounded in time and in size."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import httpx2

from igny8_core.ai.providers.errors import ProviderAnswerInvalid, ProviderTimeout
from igny8_core.ai.providers.wire import MAX_BODY_BYTES


class Seen:
    """What has come of an answer: `is_whole` once its end was seen."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self.ends_s = time.monotonic() + timeout_s
        self.status = 0
        self.body = bytearray()
        self.is_whole = False


# Of this context's request.
_seen: Final[ContextVar[Seen]] = ContextVar("seen")


@contextmanager
def within(timeout_s: float) -> Iterator[Seen]:
    """The request of the block is answered, headers and body, in so many seconds, and kept."""
    seen = Seen(timeout_s)
    token = _seen.set(seen)
    try:
        yield seen
    finally:
        _seen.reset(token)


class _Bounded(httpx2.SyncByteStream):
    """Raises ProviderTimeout, ProviderAnswerInvalid."""

    def __init__(self, stream: httpx2.SyncByteStream, provider: str) -> None:
        self._stream, self._provider = stream, provider

    def __iter__(self) -> Iterator[bytes]:
        seen = _seen.get()
        for chunk in self._stream:
            seen.body += chunk
            if time.monotonic() > seen.ends_s:
                raise ProviderTimeout(self._provider, seen.timeout_s)
            if len(seen.body) > MAX_BODY_BYTES:
                fault = f"body: it has more than {MAX_BODY_BYTES:,} bytes"
                raise ProviderAnswerInvalid(self._provider, fault)
            yield chunk
        seen.is_whole = True

    def close(self) -> None:
        self._stream.close()


class _Transport(httpx2.HTTPTransport):
    def __init__(self, provider: str) -> None:
        super().__init__()
        self._provider = provider

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        # What is compressed has no bound before it is whole in memory.
        request.headers["Accept-Encoding"] = "identity"
        seen = _seen.get()
        request.extensions["timeout"] = httpx2.Timeout(seen.timeout_s).as_dict()
        response = super().handle_request(request)
        seen.status = response.status_code
        if response.headers.get("Content-Encoding", "identity") != "identity":
            response.close()
            fault = "body: it is compressed, and was asked not to be"
            raise ProviderAnswerInvalid(self._provider, fault)
        if isinstance(response.stream, httpx2.SyncByteStream):
            response.stream = _Bounded(response.stream, self._provider)
        return response


def client(provider: str) -> httpx2.Client:
    """Follows no redirect, and asks nothing of the environment."""
    return httpx2.Client(transport=_Transport(provider), follow_redirects=False, trust_env=False)
