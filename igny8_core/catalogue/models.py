"""The models as the pipeline sees them: immutable values, each with its dated prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from igny8_core.pricing.prices import Price, price_at


class CatalogueModel(NamedTuple):
    """One AIModel as the pipeline sees it; `prices` in order of their beginnings."""

    model_id: str
    display_name: str
    provider: str
    model_type: str
    max_tokens: int = 8192
    supports_json_mode: bool = True
    supports_vision: bool = False
    is_active: bool = True
    is_default: bool = False
    sort_order: int = 0
    available_to: str = ""
    retires_at: datetime | None = None
    replaced_by: str = ""
    # How many tokens prompt and answer may have together; None: not known, not checked.
    context_window: int | None = None
    prices: tuple[Price, ...] = ()


class CatalogueProvider(NamedTuple):
    """Who answers for models: in which protocol, and where; "" is the protocol's own address.

    What was served by one of the `standard_tiers` is billed as standard. A model's name that nobody
    knows is billed as the model that was asked for, where `prices_unknown` says so.
    """

    name: str
    display_name: str
    protocol: str
    base_url: str = ""
    standard_tiers: frozenset[str] = frozenset()
    prices_unknown: bool = False


class Alias(NamedTuple):
    """Another name of a model, from a moment on."""

    effective_from: datetime
    model_id: str


def price_of(model: CatalogueModel, at: datetime) -> Price:
    """The model's price in force; one without lines where it has none."""
    return price_at(model.prices, at) or Price(model.model_id, ())


class Catalogue:
    """Every model at one moment, in order; `is_constants` where the plan's figures stand in."""

    def __init__(
        self,
        models: Mapping[str, CatalogueModel],
        *,
        providers: Mapping[str, CatalogueProvider],
        aliases: Mapping[str, Sequence[Alias]] | None = None,
        is_constants: bool = False,
        entries: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.models = models
        self.providers = providers
        # By name, in the order of their moments.
        self.aliases = aliases or {}
        self.is_constants = is_constants
        # What the models were compiled from.
        self.entries = entries or {}

    def named(self, name: str, at: datetime, provider: str) -> CatalogueModel | None:
        """The model that the provider calls so at this moment: one of its own, else of another.

        Names of providers may stand before the model's, in what it says or in the model's id.
        """
        parts = name.split("/")
        names = ["/".join(parts[start:]) for start in range(len(parts))]
        found = [model for each in names if (model := self._called(each, at))]
        longer = (model for key, model in self.models.items() if key.endswith(f"/{name}"))
        own = (model for model in (*found, *longer) if model.provider == provider)
        return next(own, found[0] if found else None)

    def _called(self, name: str, at: datetime) -> CatalogueModel | None:
        begun = [alias for alias in self.aliases.get(name, ()) if alias.effective_from <= at]
        return self.models.get(begun[-1].model_id if begun and name not in self.models else name)

    def active(self, model_type: str) -> list[CatalogueModel]:
        return [
            model
            for model in self.models.values()
            if model.is_active and model.model_type == model_type
        ]

    def default(self, model_type: str) -> CatalogueModel | None:
        """The model marked as the type's default, active or not."""
        return self._defaults.get(model_type)

    @cached_property
    def _defaults(self) -> Mapping[str, CatalogueModel]:
        return {model.model_type: model for model in self.models.values() if model.is_default}
