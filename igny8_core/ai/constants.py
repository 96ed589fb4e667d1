"""The rates under their old names, read through to the catalogue; the plan's figures stand in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import TypeVar

from django.utils import timezone

from igny8_core.ai.model_registry import ModelRegistry
from igny8_core.catalogue.fallback import FALLBACK_MODELS
from igny8_core.catalogue.models import CatalogueModel, price_of
from igny8_core.pricing.meters import ModelType

Rate = TypeVar("Rate")


class CatalogueRates(Mapping[str, Rate]):
    """The rates of one type of model, as they are at each look."""

    def __init__(
        self, model_type: ModelType, rate_of: Callable[[tuple[Decimal, Decimal]], Rate]
    ) -> None:
        self._model_type = model_type
        self._rate_of = rate_of

    def __getitem__(self, model_id: str) -> Rate:
        model = ModelRegistry.find(model_id)
        if model is None or not self._has(model):
            raise KeyError(model_id)
        return self._rate_of(price_of(model, timezone.now()).headline(model.model_type))

    def __iter__(self) -> Iterator[str]:
        models = {**FALLBACK_MODELS, **ModelRegistry.catalogue().models}
        return iter([key for key, model in models.items() if self._has(model)])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _has(self, model: CatalogueModel) -> bool:
        """An unknown price is no rate at all, never 0.0."""
        if model.model_type != self._model_type:
            return False
        price = price_of(model, timezone.now())
        return price.is_complete(model.model_type) and price.headline(model.model_type)[0] > 0

    def __repr__(self) -> str:
        return repr(dict(self))


# USD per 1M tokens.
MODEL_RATES: Mapping[str, dict[str, float]] = CatalogueRates(
    ModelType.TEXT,
    lambda rates: {"input": float(rates[0]), "output": float(rates[1])},
)
# USD per image.
IMAGE_MODEL_RATES: Mapping[str, float] = CatalogueRates(
    ModelType.IMAGE,
    lambda rates: float(rates[0]),
)
