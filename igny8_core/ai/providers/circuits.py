"""Which models are left alone for a moment, because the last calls to them failed: in this process.

A circuit opens after some failures in a row, closes by itself after a while, and opens again at the
next failure; an answer closes it for good.
"""

from __future__ import annotations

import os
import time
from threading import Lock
from typing import Final

from igny8_core.ai.providers.errors import (
    ProviderError,
    ProviderFailed,
    ProviderOverloaded,
    ProviderTimeout,
    ProviderUnreachable,
)

# What is the model's or its provider's fault, whoever asks.
_COUNTED: Final = (ProviderFailed, ProviderOverloaded, ProviderTimeout, ProviderUnreachable)
_lock = Lock()
# By model, how many calls in a row have failed.
_failures: Final[dict[str, int]] = {}
# By model, until when it is left alone, in seconds of the monotonic clock.
opened: Final[dict[str, float]] = {}


def failed(model_id: str, error: ProviderError, *, most: int, open_s: float) -> None:
    """The circuit opens for `open_s` at the failure that is the `most`th in a row; 0: never."""
    if not most or not isinstance(error, _COUNTED):
        return
    with _lock:
        _failures[model_id] = _failures.get(model_id, 0) + 1
        if _failures[model_id] >= most:
            opened[model_id] = time.monotonic() + open_s


def answered(model_id: str) -> None:
    if model_id in _failures:
        with _lock:
            _failures.pop(model_id, None)
            opened.pop(model_id, None)


def open_now() -> list[str]:
    """The models that are left alone at this moment; what is over is forgotten."""
    now_s = time.monotonic()
    for model_id, until_s in [*opened.items()]:
        if until_s <= now_s:
            opened.pop(model_id, None)
    return [*opened]


def reset() -> None:
    """As in a new process."""
    global _lock  # noqa: PLW0603 - in a child nobody will release the parent's
    _lock = Lock()
    _failures.clear()
    opened.clear()


os.register_at_fork(after_in_child=reset)
