"""What is asked of one model, what came of it, and what the caller gets."""

from __future__ import annotations

import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Generic, NamedTuple
from uuid import UUID

from igny8_core.ai.providers.base import Content, Provider, ProviderAnswer
from igny8_core.ai.resolution import Resolution
from igny8_core.modules.usage.models import Receipt
from igny8_core.pricing.meters import Meter


class Ready(NamedTuple):
    """One candidate, ready to be asked: the request is of the model's type."""

    resolution: Resolution
    provider: Provider
    request: Any
    parameters: Mapping[str, Any]


class Attempt(NamedTuple, Generic[Content]):
    """A provider's answer, or the error in its place, after `latency_ms` milliseconds.

    Both, where a text that was streamed did not come to its end.
    """

    ready: Ready
    latency_ms: int
    answer: ProviderAnswer[Content] | None
    error: BaseException | None = None
    was_begun: bool = True


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
    def of(cls, attempt: Attempt[Content], receipt: Receipt) -> Answer[Content]:
        """Of an attempt that has an answer."""
        answer = attempt.answer
        assert answer is not None  # noqa: S101 - see above
        return Answer(
            request_id=receipt.request_id,
            content=answer.content,
            finish_reason=answer.finish_reason,
            resolution=attempt.ready.resolution,
            provider=receipt.provider,
            model_served=answer.model_served,
            meters=answer.usage.meters,
            cost=receipt.cost,
            charge=receipt.charge,
        )


def milliseconds_since(started_s: float) -> int:
    """Since a moment of `time.perf_counter()`."""
    return round((time.perf_counter() - started_s) * 1000)
