"""A request on its way: each model is asked, again where that may help, and then the next one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, Final, Generic
from uuid import UUID

import stamina

from igny8_core.ai.providers import circuits
from igny8_core.ai.providers.base import (
    PROMPTS,
    REQUEST_ID,
    Content,
    Provider,
    ProviderAnswer,
    TextStream,
)
from igny8_core.ai.providers.errors import ProviderError, ProviderUnforeseen
from igny8_core.ai.request.answers import Attempt, Ready, milliseconds_since
from igny8_core.ai.resolution import Reason
from igny8_core.errors import AIError
from igny8_core.live_settings import LiveSettings

_FIRST_WAIT_S: Final = 0.2
_LONGEST_WAIT_S: Final = 5.0
# Another model answers sooner than a provider that asks for a longer wait.
_LONGEST_RETRY_AFTER_S: Final = 20.0
_MOST_MODELS: Final = 3


class Attempts(Generic[Content]):
    """What was tried so far, in order; `following` are the next candidates, made ready as asked.

    Not `has_circuits`: the caller's own connections say nothing of anybody else's.
    """

    def __init__(  # noqa: PLR0913 - each is of another kind
        self,
        request_id: UUID,
        texts: tuple[str, ...],
        first: Ready,
        following: Iterator[Ready],
        live: LiveSettings,
        *,
        has_circuits: bool,
    ) -> None:
        self._request_id, self._texts = str(request_id), texts
        self._has_circuits = has_circuits
        self.tried: list[Attempt[Content]] = []
        self._ready, self._following, self._live = first, following, live
        self._models = 1
        # Of the attempt that is under way.
        self._started_s: float | None = None
        self._stream: TextStream | None = None
        self._has_delivered = False

    async def answer(
        self, ask: Callable[[Provider, Any], Coroutine[Any, Any, ProviderAnswer[Content]]]
    ) -> None:
        """The last of `tried` has it. Raises the last attempt's ProviderError."""
        while True:
            try:
                async for attempt in self._tries():
                    with attempt:
                        self._begin()
                        self._end(await self._asked(ask))
                        return
            except ProviderError as error:
                await self._fall_back(error)

    async def _asked(
        self, ask: Callable[[Provider, Any], Coroutine[Any, Any, ProviderAnswer[Content]]]
    ) -> ProviderAnswer[Content]:
        with self._told_as_ours():
            return await ask(self._ready.provider, self._ready.request)

    async def pieces(self) -> AsyncGenerator[str]:
        """The text as it comes; once a piece was given, nothing is tried again. Raises as above."""
        while True:
            try:
                async for attempt in self._tries():
                    with attempt:
                        self._begin()
                        async for piece in self._streamed():
                            yield piece
                        return
            except ProviderError as error:
                await self._fall_back(error)

    async def _streamed(self) -> AsyncIterator[str]:
        with self._told_as_ours():
            self._stream = self._ready.provider.stream(self._ready.request)
            async with aclosing(self._stream.pieces()) as pieces:
                async for piece in pieces:
                    self._has_delivered = True
                    yield piece
        self._end(self._stream.answer())  # type: ignore[arg-type]

    @contextmanager
    def _told_as_ours(self) -> Iterator[None]:
        """Whatever a provider's class raises is noted, and is an error of ours."""
        try:
            yield
        except ProviderError as error:
            self._failed(error)
            raise
        except AIError as error:
            self._note(self._left(), error)
            raise
        except Exception as error:
            unforeseen = ProviderUnforeseen(self._ready.provider.name, error)
            self._failed(unforeseen)
            raise unforeseen from error

    def interrupted(self, error: BaseException) -> None:
        """The attempt that is under way, if any, is cut off by the caller."""
        if self._started_s is not None:
            self._note(self._left(), error)
        elif not self.tried:
            self.tried.append(Attempt(self._ready, 0, None, error, was_begun=False))

    def _tries(self) -> Any:
        return stamina.retry_context(
            on=self._wait,
            attempts=self._live.attempts,
            timeout=None,
            wait_initial=_FIRST_WAIT_S,
            wait_max=_LONGEST_WAIT_S,
            wait_jitter=_FIRST_WAIT_S,
        )

    def _wait(self, error: Exception) -> bool | float:
        """Whether to try the same model again; a number: after so many seconds."""
        if not isinstance(error, ProviderError) or not error.is_retryable or self._has_delivered:
            return False
        after_s: float | None = getattr(error, "retry_after_s", None)
        if after_s is None:
            return True
        return after_s if after_s <= _LONGEST_RETRY_AFTER_S else False

    async def _fall_back(self, error: ProviderError) -> None:
        """To the next candidate; raises the error where there is none, or none is allowed."""
        reason = self.tried[0].ready.resolution.reason
        is_kept = reason in {Reason.OVERRIDE, Reason.KEPT}
        may = (
            self._live.fallback
            and error.may_fall_back
            and not self._has_delivered
            and reason is not Reason.PINNED
            and (self._live.fallback_of_overrides or not is_kept)
            and self._models < _MOST_MODELS
        )
        # It may import an SDK, which takes a while, and other calls are on this thread.
        ready = await asyncio.to_thread(next, self._following, None) if may else None
        if ready is None:
            raise error
        self._ready = ready
        self._models += 1

    def _begin(self) -> None:
        REQUEST_ID.set(self._request_id)
        PROMPTS.set(self._texts)
        self._started_s, self._stream = time.perf_counter(), None

    def _end(self, answer: ProviderAnswer[Content]) -> None:
        if self._has_circuits:
            circuits.answered(self._ready.resolution.model.model_id)
        self._note(answer, None)

    def _failed(self, error: ProviderError) -> None:
        if self._has_circuits:
            circuits.failed(
                self._ready.resolution.model.model_id,
                error,
                most=self._live.circuit_failures,
                open_s=self._live.circuit_open_s,
            )
        self._note(self._left(), error)

    def _left(self) -> Any:
        """What had come of a text that was streamed."""
        return None if self._stream is None else self._stream.answer()

    def _note(self, answer: ProviderAnswer[Content] | None, error: BaseException | None) -> None:
        started_s, self._started_s = self._started_s, None
        latency_ms = milliseconds_since(started_s or time.perf_counter())
        self.tried.append(Attempt(self._ready, latency_ms, answer, error))
