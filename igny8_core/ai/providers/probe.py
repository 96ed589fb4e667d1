"""One tiny real call to a model: whether it answers, how fast, and what that costs."""

from __future__ import annotations

import time
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from igny8_core.ai.providers.base import (
    EmbeddingRequest,
    ImageRequest,
    Provider,
    ProviderAnswer,
    TextRequest,
)
from igny8_core.ai.providers.usage import Usage
from igny8_core.catalogue.models import CatalogueModel, price_of
from igny8_core.errors import AIError
from igny8_core.pricing import quotes
from igny8_core.pricing.conditions import STANDARD
from igny8_core.pricing.meters import ModelType
from igny8_core.pricing.money import money_text
from igny8_core.pricing.prices import billable

_MOST_TOKENS: Final = 16


class Probe(NamedTuple):
    """`cost` in USD; where it is None, `why_no_cost` says why."""

    model_id: str
    model_served: str
    latency_ms: int
    usage: Usage
    cost: Decimal | None
    why_no_cost: str = ""

    @property
    def used(self) -> str:
        """In words."""
        meters = (self.usage.meters or {}).items()
        used = ", ".join(f"{quantity:,} {meter.replace('_', ' ')}" for meter, quantity in meters)
        return used or self.usage.note

    @property
    def cost_text(self) -> str:
        unknown = f"not known: {self.why_no_cost}"
        return unknown if self.cost is None else f"{money_text(self.cost)} USD"


async def probe(provider: Provider, model: CatalogueModel, at: datetime, timeout_s: float) -> Probe:
    """What is asked of it now, at the price of this moment. Raises AIError."""
    started_s = time.perf_counter()
    answer = await _asked(provider, model, timeout_s)
    latency_ms = round((time.perf_counter() - started_s) * 1000)
    cost, why_not = _cost(model, answer, at)
    return Probe(model.model_id, answer.model_served, latency_ms, answer.usage, cost, why_not)


async def _asked(
    provider: Provider, model: CatalogueModel, timeout_s: float
) -> ProviderAnswer[Any]:
    match model.model_type:
        case ModelType.IMAGE:
            return await provider.draw(ImageRequest(model.model_id, "A dot.", 1, timeout_s))
        case ModelType.EMBEDDING:
            return await provider.embed(EmbeddingRequest(model.model_id, ("ok",), timeout_s))
    request = TextRequest(
        model.model_id,
        "You are asked whether you are there.",
        "Answer with the word ok.",
        json_mode=False,
        timeout_s=timeout_s,
        longest=model.max_tokens,
        max_tokens=min(_MOST_TOKENS, model.max_tokens),
    )
    return await provider.complete(request)


def _cost(
    model: CatalogueModel, answer: ProviderAnswer[Any], at: datetime
) -> tuple[Decimal | None, str]:
    """What the provider says, else what the price in force makes of it; or why it is not known."""
    usage = answer.usage
    if usage.cost_reported is not None:
        return usage.cost_reported, ""
    if usage.meters is None:
        return None, usage.note
    price = price_of(model, at)
    try:
        meters = billable(price, usage.meters)
        return quotes.quote(price, meters, at=at, context=answer.context or STANDARD).cost, ""
    except AIError as error:
        return None, str(error)
