"""The catalogue as the pipeline reads it: rows where there are any, else the plan's figures."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

from django.db import Error as DatabaseFault
from django.db import connection, transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.utils import timezone

from igny8_core.ai import pricing
from igny8_core.ai.exceptions import AIError, NoDefaultModel, UnknownModel, UnknownModelType
from igny8_core.ai.fallback_rates import FALLBACK_MODELS
from igny8_core.ai.pricing import Price
from igny8_core.ai.values import CatalogueModel, Meter, ModelType
from igny8_core.modules.system.models import AIModel, ModelPrice, RateLine

logger = logging.getLogger(__name__)


class Catalogue(NamedTuple):
    """Every model at one moment, in order; `is_constants` where the plan's figures stand in."""

    models: Mapping[str, CatalogueModel]
    is_constants: bool

    def active(self, model_type: str) -> list[CatalogueModel]:
        return [
            model
            for model in self.models.values()
            if model.is_active and model.model_type == model_type
        ]

    def default(self, model_type: str) -> CatalogueModel | None:
        """The model marked as the type's default, active or not."""
        defaults = (
            model
            for model in self.models.values()
            if model.is_default and model.model_type == model_type
        )
        return next(defaults, None)


CONSTANTS = Catalogue(FALLBACK_MODELS, is_constants=True)


class ModelRegistry:
    """Central registry for AI model configurations.

    Provides caching and fallback logic.
    """

    # {} or {"catalogue": (fresh until, Catalogue)}; a clear puts a new dict in its place, so that
    # what was being loaded meanwhile lands in the old one.
    _cache: ClassVar[dict[str, tuple[float, Catalogue]]] = {}
    _cache_ttl = 300  # 5 minutes
    # What serves while the database is away, and how long it is then left alone.
    _last_known: ClassVar[Catalogue] = CONSTANTS
    _retry_after_s = 2

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
        now = timezone.now()
        return float(pricing.quote(pricing.price_of(model, now), meters, at=now).cost)

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
        """Every model. No query while the cache holds, else one.

        Without the database the last catalogue goes on serving, or else the plan's figures.
        """
        if cls._is_changed_in_this_transaction():
            return _load()
        cache = cls._cache
        fresh_until, held = cache.get("catalogue", (0.0, CONSTANTS))
        if 0 < fresh_until - time.time() <= cls._cache_ttl:
            return held
        try:
            cls._last_known = _load()
            lifetime_s = cls._cache_ttl
        except DatabaseFault as fault:
            logger.warning("The catalogue cannot be read (%s); serving what is known.", fault)
            lifetime_s = cls._retry_after_s
        cache["catalogue"] = (time.time() + lifetime_s, cls._last_known)
        return cls._last_known

    @classmethod
    def clear(cls) -> None:
        """Forget the cached catalogue."""
        cls._cache = {}

    @classmethod
    def _is_changed_in_this_transaction(cls) -> bool:
        """Whether this thread's open transaction holds a change that nobody else may see yet.

        Such a change has put `clear` among the transaction's hooks; rolling it back, even to a
        savepoint, takes that out again.
        """
        return any(hook[1] == cls.clear for hook in connection.run_on_commit)


@receiver([post_save, post_delete], sender=AIModel)
@receiver([post_save, post_delete], sender=ModelPrice)
@receiver([post_save, post_delete], sender=RateLine)
def _clear_on_commit(using: str, **_signal: object) -> None:
    transaction.on_commit(ModelRegistry.clear, using=using)


def _load() -> Catalogue:
    """Three queries."""
    prices: dict[str, list[Price]] = {}
    for row in (
        ModelPrice.objects.select_related("model")
        .prefetch_related("lines")
        .order_by("effective_from")
    ):
        prices.setdefault(row.model.model_id, []).append(_price(row))
    rows = AIModel.objects.values_list(*_COLUMNS)
    models = {row[0]: CatalogueModel._make([*row, tuple(prices.get(row[0], ()))]) for row in rows}
    return Catalogue(MappingProxyType(models), is_constants=False) if models else CONSTANTS


_COLUMNS = [name for name in CatalogueModel._fields if name != "prices"]


def _price(row: ModelPrice) -> Price:
    """The row's price; one that cannot be quoted with leaves the model unpriced from then on."""
    try:
        return row.value()
    except AIError as error:
        logger.error("%s cannot be used: %s", row, error)  # noqa: TRY400 - the error says it
        return Price(row.model.model_id, (), effective_from=row.effective_from, key=row.pk)


def _configuration(model: CatalogueModel) -> dict[str, Any]:
    """The model's facts, with the headline rates in force."""
    facts = {name: getattr(model, name) for name in _COLUMNS}
    rates = pricing.price_of(model, timezone.now()).headline(model.model_type)
    return {**facts, "input_rate": rates[0], "output_rate": rates[1]}


def _model_type(name: str) -> ModelType:
    try:
        return ModelType(name)
    except ValueError:
        raise UnknownModelType(name, ModelType) from None
