"""The catalogue as the pipeline reads it: what is in force, else the plan's figures."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flags import live
from igny8_core.catalogue.errors import NoDefaultModel, UnknownModel, UnknownModelType
from igny8_core.catalogue.fallback import CONSTANTS, FALLBACK_MODELS
from igny8_core.catalogue.models import Catalogue, CatalogueModel, price_of
from igny8_core.catalogue.names import SECTION
from igny8_core.pricing import quotes
from igny8_core.pricing.meters import Meter, ModelType


class ModelRegistry:
    """Central registry for AI model configurations.

    Reads the snapshot of this process, and falls back to the plan's figures.
    """

    @classmethod
    def get_model(cls, model_id: str) -> dict[str, Any] | None:
        """The model's configuration, its rates as Decimal; None for an id that nobody knows.

        Ids that the catalogue lacks are looked up among the plan's figures.
        """
        model = cls.find(model_id)
        return _configuration(model) if model else None

    @classmethod
    def get_models_by_type(cls, model_type: str) -> list[dict[str, Any]]:
        """All active models of a type, in the catalogue's order; raises UnknownModelType."""
        return [_configuration(model) for model in cls.catalogue().active(_model_type(model_type))]

    @classmethod
    def get_default_model(cls, model_type: str = "text") -> dict[str, Any]:
        """The type's default; raises UnknownModelType, or NoDefaultModel where none is active."""
        model = cls.catalogue().default(_model_type(model_type))
        if model is None or not model.is_active:
            raise NoDefaultModel(model_type)
        return _configuration(model)

    @classmethod
    def calculate_cost(
        cls,
        model_id: str,
        input_tokens: int = 0,
        output_tokens: int = 0,
        image_count: int = 0,
    ) -> float:
        """USD that an operation costs: computed exactly, rounded once to a float.

        Raises UnknownModel, InvalidQuantity, and MeterNotPriced for a quantity without a rate.
        """
        model = cls.find(model_id)
        if model is None:
            raise UnknownModel(model_id)
        meters = {
            Meter.INPUT_TOKENS: input_tokens,
            Meter.OUTPUT_TOKENS: output_tokens,
            Meter.IMAGES: image_count,
        }
        now = datetime.now(UTC)
        return float(quotes.quote(price_of(model, now), meters, at=now).cost)

    @classmethod
    def is_model_supported(cls, model_id: str) -> bool:
        """Whether a model is configured and active."""
        model = cls.catalogue().models.get(model_id)
        return model is not None and model.is_active

    @classmethod
    def find(cls, model_id: str) -> CatalogueModel | None:
        """The model as a value, from the catalogue, else from the plan's figures."""
        return cls.catalogue().models.get(model_id) or FALLBACK_MODELS.get(model_id)

    @classmethod
    def catalogue(cls) -> Catalogue:
        """Every model, as the revision in force says. No query."""
        catalogue: Catalogue = live.current().sections.get(SECTION, CONSTANTS)
        return catalogue


_COLUMNS = [name for name in CatalogueModel._fields if name != "prices"]


def _configuration(model: CatalogueModel) -> dict[str, Any]:
    """The model's configuration, with the headline rates in force."""
    configuration = {name: getattr(model, name) for name in _COLUMNS}
    rates = price_of(model, datetime.now(UTC)).headline(model.model_type)
    return {**configuration, "input_rate": rates[0], "output_rate": rates[1]}


def _model_type(name: str) -> ModelType:
    try:
        return ModelType(name)
    except ValueError:
        raise UnknownModelType(name, ModelType) from None
