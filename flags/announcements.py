"""Redis pub/sub: tells other processes at once what they would find out at the next poll."""

from __future__ import annotations

import logging
import time
from typing import Any, Final

import redis
from django.conf import settings

logger = logging.getLogger(__name__)

# A revision was published. Facts about an account have changed: its key.
PUBLISHED: Final = "flags:published"
ACCOUNT: Final = "flags:account"

_TIMEOUT_S: Final = 0.2
_HEALTH_S: Final = 5
# How much is heard at once.
_AT_ONCE: Final = 1_000
# Of the server, of the way there, and of what is no address or no text.
_FAULTS: Final = (redis.RedisError, OSError, ValueError)


class _Sender:
    client: Any = None
    retry_at_s = 0.0


def send(channel: str, text: str) -> None:
    """Never fails: who misses an announcement polls. A server that is down costs 0.2 s a second."""
    if not settings.FLAGS_REDIS_URL or time.monotonic() < _Sender.retry_at_s:
        return
    try:
        if _Sender.client is None:
            _Sender.client = _client()
        _Sender.client.publish(channel, text)
    except _FAULTS as error:
        _Sender.retry_at_s = time.monotonic() + 1
        logger.warning("Not announced, others will poll: %s", error)


def _client() -> Any:
    return redis.Redis.from_url(
        settings.FLAGS_REDIS_URL,
        socket_connect_timeout=_TIMEOUT_S,
        socket_timeout=_TIMEOUT_S,
        health_check_interval=_HEALTH_S,
        decode_responses=True,
    )


class Listener:
    """One thread's subscription; it connects anew by itself, and counts how often."""

    def __init__(self) -> None:
        self.reconnects = 0
        self.error: str | None = None
        self._pubsub: Any = None
        self._was_connected = False

    def wait(self, timeout_s: float) -> list[tuple[str, str]]:
        """What was announced, as channel and text, as soon as something is; else empty."""
        deadline_s = time.monotonic() + timeout_s
        try:
            if self._pubsub is None:
                self._connect()
            return self._received(deadline_s)
        except _FAULTS as error:
            self.close()
            self.error = f"Redis: {error}"
            return []

    def _connect(self) -> None:
        pubsub = _client().pubsub(ignore_subscribe_messages=True)
        pubsub.subscribe(PUBLISHED, ACCOUNT)
        self._pubsub, self.error = pubsub, None
        self.reconnects += self._was_connected
        self._was_connected = True

    def _received(self, deadline_s: float) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        while len(found) < _AT_ONCE:
            left_s = 0.0 if found else max(deadline_s - time.monotonic(), 0.0)
            message = self._pubsub.get_message(timeout=left_s)
            if message is not None:
                found.append((message["channel"], message["data"]))
            elif found or time.monotonic() >= deadline_s:
                break
        return found

    def close(self) -> None:
        if self._pubsub is not None:
            self._pubsub.close()
            self._pubsub = None
