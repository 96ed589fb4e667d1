"""Which models of a document a rule may serve."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

from igny8_core.catalogue.models import CatalogueModel, price_of
from igny8_core.catalogue.names import SECTION
from igny8_core.catalogue.section import Json, model_of
from igny8_core.pricing.meters import ModelType

WhyNot = Callable[[datetime, datetime | None], str | None]


def servable(sections: Mapping[str, Json], model_type: ModelType) -> dict[str, WhyNot]:
    """The ids of a type's models in a document's sections.

    Each has a callback that says why a rule may not serve it from a moment until another; None
    where it may.
    """
    models: Mapping[str, Json] = sections.get(SECTION, {}).get("models", {})
    return {
        model_id: partial(_why_not, model_of(model_id, entry))
        for model_id, entry in models.items()
        if entry["model_type"] == model_type
    }


def _why_not(model: CatalogueModel, begins: datetime, ends: datetime | None) -> str | None:
    if not model.is_active:
        return "it is not active"
    if not price_of(model, begins).is_complete(model.model_type):
        return "it has no complete price in force"
    for price in model.prices:
        is_later = begins < price.effective_from and (ends is None or price.effective_from < ends)
        if is_later and not price.is_complete(model.model_type):
            return f"its price from {price.effective_from:%Y-%m-%d %H:%M:%S} is not complete"
    return None
