"""The catalogue's section of a document: its shape, and the models that it compiles to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, NotRequired

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from igny8_core.catalogue.fallback import CONSTANTS, FALLBACK_MODELS, FALLBACK_PROVIDERS
from igny8_core.catalogue.models import Alias, Catalogue, CatalogueModel, CatalogueProvider
from igny8_core.pricing.conditions import parse_condition
from igny8_core.pricing.meters import Meter, ModelType
from igny8_core.pricing.prices import Price, RateLine

_STRICT: Final = ConfigDict(extra="forbid", strict=True)
_MOST: Final = 2**31 - 1
# On one line, without blanks around it.
Text = Annotated[str, Field(pattern=r"^\S(.*\S)?$", max_length=200)]
Amount = Annotated[str, Field(pattern=r"^[0-9]{1,7}(\.[0-9]{1,12})?$")]
Count = Annotated[int, Field(ge=1, le=_MOST)]


@with_config(_STRICT)
class LineEntry(TypedDict):
    """An amount in USD, as text, per so many of a meter."""

    meter: Annotated[Meter, Field(strict=False)]
    amount: Amount
    per: Count
    condition: NotRequired[dict[str, Any]]


@with_config(_STRICT)
class PriceEntry(TypedDict):
    """A price, by its first moment: RFC 3339 in UTC, with microseconds."""

    currency: Literal["USD"]
    is_free: bool
    lines: list[LineEntry]
    source: NotRequired[str]
    source_url: NotRequired[str]
    note: NotRequired[str]


@with_config(_STRICT)
class ModelEntry(TypedDict):
    display_name: Text
    provider: Annotated[str, Field(min_length=1, max_length=50)]
    model_type: Annotated[ModelType, Field(strict=False)]
    max_tokens: Count
    supports_json_mode: bool
    supports_vision: bool
    is_active: bool
    is_default: bool
    sort_order: Annotated[int, Field(ge=-_MOST, le=_MOST)]
    available_to: str
    retires_at: str | None
    replaced_by: str
    context_window: NotRequired[Count]
    prices: dict[str, PriceEntry]


@with_config(_STRICT)
class ProviderEntry(TypedDict):
    """Without its keys; an empty `base_url` is the protocol's own address.

    Which protocols are spoken is known by each process, and no fault of the document.
    """

    display_name: Text
    protocol: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=20)]
    base_url: Annotated[str, Field(max_length=300)]
    standard_tiers: list[Annotated[str, Field(pattern=r"^[^\s,]([^,]*[^\s,])?$", max_length=50)]]
    prices_unknown: bool


ModelId = Annotated[Text, Field(max_length=100)]


@with_config(_STRICT)
class CatalogueSection(TypedDict):
    """Models by id, providers by name, and by other names of models the model from a moment on.

    Without providers, those that are there from the start.
    """

    models: dict[ModelId, ModelEntry]
    providers: NotRequired[
        dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,49}$")], ProviderEntry]
    ]
    aliases: NotRequired[dict[ModelId, dict[str, ModelId]]]


# What a model has beside its prices.
COLUMNS: Final = [name for name in ModelEntry.__annotations__ if name != "prices"]
_MOMENT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
Json = Mapping[str, Any]


def compile_section(section: Json, previous: Catalogue | None = None) -> Catalogue:
    """A checked section as models; those that have not changed are taken from the previous one."""
    entries: Mapping[str, Json] = section["models"]
    if not entries:
        return Catalogue(FALLBACK_MODELS, providers=providers_of(section), is_constants=True)
    aliases = {
        name: [Alias(moment_of(moment), model_id) for moment, model_id in sorted(entry.items())]
        for name, entry in section.get("aliases", {}).items()
    }
    kept = previous or CONSTANTS
    models = [
        kept.models[model_id] if kept.entries.get(model_id) == entry else model_of(model_id, entry)
        for model_id, entry in entries.items()
    ]
    models.sort(key=lambda model: (model.sort_order, model.display_name))
    by_id = MappingProxyType({model.model_id: model for model in models})
    return Catalogue(
        by_id,
        providers=providers_of(section),
        aliases=MappingProxyType(aliases),
        entries=entries,
    )


def providers_of(section: Json) -> Mapping[str, CatalogueProvider]:
    """By name; those that are there from the start, where the section says nothing of any."""
    entries: Mapping[str, Json] = section.get("providers") or {}
    found = {
        name: CatalogueProvider(
            **{**entry, "name": name, "standard_tiers": frozenset(map(str.casefold, tiers))}
        )
        for name, entry in entries.items()
        for tiers in [entry["standard_tiers"]]
    }
    return MappingProxyType(found or FALLBACK_PROVIDERS)


def model_of(model_id: str, entry: Json) -> CatalogueModel:
    """Raises AIError where a price cannot be quoted with."""
    prices = tuple(price_of_entry(model_id, *each) for each in sorted(entry["prices"].items()))
    retires_at = entry["retires_at"] and moment_of(entry["retires_at"])
    own = {"model_id": model_id, "prices": prices, "retires_at": retires_at}
    return CatalogueModel(**{**entry, **own})


def price_of_entry(model_id: str, moment: str, entry: Json) -> Price:
    """Raises RateTie, RateGap, InvalidAmount, InvalidCondition."""
    return Price(
        model_id,
        [line_of(line) for line in entry["lines"]],
        effective_from=moment_of(moment),
        is_free=entry["is_free"],
        currency=entry["currency"],
    )


def line_of(entry: Json) -> RateLine:
    """Raises InvalidCondition."""
    written = entry.get("condition") or {}
    return RateLine(
        Meter(entry["meter"]),
        Decimal(entry["amount"]),
        entry["per"],
        parse_condition(written),
        written,
    )


def moment_of(text: str) -> datetime:
    """Stricter than `fromisoformat`: equal moments are written alike, equal documents too.

    Raises ValueError.
    """
    at = datetime.strptime(text, _MOMENT).replace(tzinfo=UTC)
    if moment_text(at) != text:
        raise ValueError(text)
    return at


def moment_text(at: datetime) -> str:
    """RFC 3339 in UTC with six decimals: the one way in which a document writes a moment."""
    # strftime() leaves the zeros of early years away.
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
