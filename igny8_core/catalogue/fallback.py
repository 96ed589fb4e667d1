"""The plan's figures: what serves when the catalogue is empty or out of reach."""

from __future__ import annotations

from decimal import Decimal
from types import MappingProxyType
from typing import Final

from igny8_core.catalogue.models import Catalogue, CatalogueModel, CatalogueProvider
from igny8_core.catalogue.names import PROVIDERS
from igny8_core.pricing.meters import ModelType
from igny8_core.pricing.prices import Price, headline_lines


def _text(  # noqa: PLR0913 - the columns, one by one
    model_id: str,
    input_rate: str,
    output_rate: str,
    context_window: int,
    *,
    max_tokens: int = 8192,
    is_default: bool = False,
) -> CatalogueModel:
    rates = Decimal(input_rate), Decimal(output_rate)
    return CatalogueModel(
        model_id=model_id,
        display_name=model_id,
        provider="openai",
        model_type=ModelType.TEXT,
        max_tokens=max_tokens,
        context_window=context_window,
        is_default=is_default,
        prices=(Price(model_id, headline_lines(ModelType.TEXT, rates)),),
    )


def _image(model_id: str, rate: str) -> CatalogueModel:
    return CatalogueModel(
        model_id=model_id,
        display_name=model_id,
        provider="openai",
        model_type=ModelType.IMAGE,
        prices=(Price(model_id, headline_lines(ModelType.IMAGE, [Decimal(rate)])),),
    )


FALLBACK_MODELS = MappingProxyType(
    {
        model.model_id: model
        for model in (
            _text("gpt-4.1", "2.00", "8.00", 1_047_576),
            _text("gpt-4o-mini", "0.15", "0.60", 128_000, is_default=True),
            _text("gpt-4o", "2.50", "10.00", 128_000),
            _text("gpt-5.1", "1.25", "10.00", 400_000, max_tokens=16000),
            _text("gpt-5.2", "1.75", "14.00", 400_000, max_tokens=16000),
            _image("dall-e-3", "0.040"),
            _image("dall-e-2", "0.020"),
            _image("gpt-image-1", "0.042"),
            _image("gpt-image-1-mini", "0.011"),
        )
    },
)
FALLBACK_PROVIDERS = MappingProxyType(
    {
        name: CatalogueProvider(name, label, protocol=name, prices_unknown=True)
        for name, label in PROVIDERS.items()
    }
)
CONSTANTS: Final = Catalogue(FALLBACK_MODELS, providers=FALLBACK_PROVIDERS, is_constants=True)
