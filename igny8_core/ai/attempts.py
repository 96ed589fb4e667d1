"""One call to one provider, and what the caller gets of it."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Mapping
from contextlib import aclosing
from decimal import Decimal
from typing import Generic, NamedTuple, TypeVar
from uuid import UUID

from asgiref.sync import sync_to_async

from igny8_core.ai.providers import network
from igny8_core.ai.providers.base import Content, Provider, ProviderAnswer, TextRequest
from igny8_core.ai.resolution import Resolution
from igny8_core.modules.usage.models import Receipt
from igny8_core.pricing.meters import Meter


class Attempt(NamedTuple, Generic[Content]):
    """A provider's answer, or the error in its place, after `latency_ms` milliseconds.

    Both, where a text that was streamed did not come to its end.
    """

    provider: str
    latency_ms: int
    answer: ProviderAnswer[Content] | None
    error: BaseException | None = None


class Answer(NamedTuple, Generic[Content]):
    """What the pipeline gives back; `cost` is None where the provider did not say what it took.

    `charge` is what the account pays.
    """

    request_id: UUID
    content: Content
    finish_reason: str
    resolution: Resolution
    provider: str
    model_served: str
    meters: Mapping[Meter, int] | None
    cost: Decimal | None
    charge: Decimal | None

    @classmethod
    def of(
        cls, answer: ProviderAnswer[Content], resolution: Resolution, receipt: Receipt
    ) -> Answer[Content]:
        return Answer(
            request_id=receipt.request_id,
            content=answer.content,
            finish_reason=answer.finish_reason,
            resolution=resolution,
            provider=receipt.provider,
            model_served=answer.model_served,
            meters=answer.usage.meters,
            cost=receipt.cost,
            charge=receipt.charge,
        )


def milliseconds_since(started_s: float) -> int:
    """Since a moment of `time.perf_counter()`."""
    return round((time.perf_counter() - started_s) * 1000)


Call = TypeVar("Call")


class Streamed(Generic[Call]):
    """A text as it comes, to be iterated once, by `for` or by `async for`.

    `answer` is there once it has ended, has failed or was left: what had come by then. Iterating
    raises what the request refuses or fails with.
    """

    def __init__(
        self,
        begin: Callable[[], tuple[Call, Provider, TextRequest]],
        settle: Callable[[Call, Attempt[str]], Answer[str]],
    ) -> None:
        self._begin, self._settle = begin, settle
        self.answer: Answer[str] | None = None

    def __iter__(self) -> Iterator[str]:
        return self.pieces()

    def __aiter__(self) -> AsyncIterator[str]:
        return self.apieces()

    def pieces(self) -> Generator[str]:
        """A caller that leaves early closes it, to have the call cut off at once."""
        call, provider, request = self._begin()
        stream = provider.stream(request)
        started_s, error = time.perf_counter(), None
        try:
            yield from network.each(stream.pieces())
        except BaseException as fault:
            error = fault
            raise
        finally:
            attempt = Attempt(provider.name, milliseconds_since(started_s), stream.answer(), error)
            self.answer = self._settle(call, attempt)

    async def apieces(self) -> AsyncGenerator[str]:
        """As `pieces`."""
        call, provider, request = await sync_to_async(self._begin)()
        stream = provider.stream(request)
        started_s, error = time.perf_counter(), None
        try:
            async with aclosing(network.aeach(stream.pieces())) as pieces:
                async for piece in pieces:
                    yield piece
        except BaseException as fault:
            error = fault
            raise
        finally:
            attempt = Attempt(provider.name, milliseconds_since(started_s), stream.answer(), error)
            self.answer = await sync_to_async(self._settle)(call, attempt)
