"""The catalogue section of the document: its shape and checks, and the models it compiles to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property, partial
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, NotRequired

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from igny8_core.ai.conditions import parse_condition
from igny8_core.ai.exceptions import AIError
from igny8_core.ai.fallback_rates import FALLBACK_MODELS
from igny8_core.ai.pricing import DECIMALS, MAX_MARKUP, MIN_MARKUP, Price, RateLine, price_of
from igny8_core.ai.values import CatalogueModel, Meter, ModelType

# A flag as any other: percent that an account pays above the cost.
MARKUP_FLAG: Final = "pricing.markup_percent"
# A switch that is off has nobody use the provider's models.
PROVIDER_SWITCH: Final = "provider."

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
    prices: dict[str, PriceEntry]


@with_config(_STRICT)
class Section(TypedDict):
    """The models by id."""

    models: dict[Annotated[Text, Field(max_length=100)], ModelEntry]


_SHAPE: Final = TypeAdapter(Section)
_MOMENT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"

Json = Mapping[str, Any]
WhyNot = Callable[[datetime, datetime | None], str | None]


class Catalogue:
    """Every model at one moment, in order; `is_constants` where the plan's figures stand in."""

    def __init__(
        self,
        models: Mapping[str, CatalogueModel],
        *,
        is_constants: bool = False,
        entries: Mapping[str, Json] | None = None,
    ) -> None:
        self.models = models
        self.is_constants = is_constants
        # What the models were compiled from.
        self.entries = entries or {}

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


CONSTANTS: Final = Catalogue(FALLBACK_MODELS, is_constants=True)


def compile_section(section: Json, previous: Catalogue | None = None) -> Catalogue:
    """A checked section as models; those that have not changed are taken from the previous one."""
    entries: Mapping[str, Json] = section["models"]
    if not entries:
        return CONSTANTS
    kept = previous or CONSTANTS
    models = [
        kept.models[model_id] if kept.entries.get(model_id) == entry else model_of(model_id, entry)
        for model_id, entry in entries.items()
    ]
    models.sort(key=lambda model: (model.sort_order, model.display_name))
    by_id = MappingProxyType({model.model_id: model for model in models})
    return Catalogue(by_id, entries=entries)


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
    facts = entry.get("condition") or {}
    return RateLine(
        Meter(entry["meter"]), Decimal(entry["amount"]), entry["per"], parse_condition(facts), facts
    )


def moment_of(text: str) -> datetime:
    """Raises ValueError, also for another way to write the moment."""
    at = datetime.strptime(text, _MOMENT).replace(tzinfo=UTC)
    if moment_text(at) != text:
        raise ValueError(text)
    return at


def moment_text(at: datetime) -> str:
    # strftime() leaves the zeros of early years away.
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


class Fault(TypedDict):
    """What is wrong with a section: a JSON pointer, what stands there, and a sentence."""

    path: str
    value: str | float | bool | None
    message: str
    code: str


def faults_of(section: object, flags: Mapping[str, Json]) -> Iterator[Fault]:
    """What is wrong with anything that claims to be the section, in a document with these flags."""
    try:
        _SHAPE.validate_python(section)
    except ValidationError as error:
        for each in error.errors(include_url=False):
            yield _fault(each["loc"], each["input"], each["msg"], each["type"])
        return
    yield from _markup_faults(flags)
    models: Mapping[str, Json] = section["models"]  # type: ignore[index]
    defaults: dict[str, str] = {}
    for model_id, entry in models.items():
        yield from _price_faults(model_id, entry["prices"])
        yield from _availability_faults(model_id, entry, models, flags)
        if entry["is_default"]:
            other = defaults.setdefault(entry["model_type"], model_id)
            if other != model_id:
                sentence = f"{other} is the default for {entry['model_type']} already."
                yield _fault(("models", model_id, "is_default"), model_id, sentence, "two_defaults")


def _markup_faults(flags: Mapping[str, Json]) -> Iterator[Fault]:
    """A markup that no charge can be made with."""
    flag = flags.get(MARKUP_FLAG)
    if flag is None:
        return
    if flag["kind"] not in {"int", "num"}:
        yield _fault((), flag["kind"], f"The flag {MARKUP_FLAG} is a number of percent.", "kind")
        return
    for variant, percent in flag["variants"].items():
        if type(percent) not in {int, float}:
            continue  # refused already, as no number
        markup = Decimal(str(percent))
        if not MIN_MARKUP <= markup <= MAX_MARKUP or round(markup, DECIMALS) != markup:
            sentence = (
                f"The variant {variant!r} of the flag {MARKUP_FLAG} is {percent}; it may be from "
                f"{MIN_MARKUP} to {MAX_MARKUP}, with at most {DECIMALS} decimals."
            )
            yield _fault((), percent, sentence, "invalid_markup")


def _availability_faults(
    model_id: str, entry: Json, models: Mapping[str, Json], flags: Mapping[str, Json]
) -> Iterator[Fault]:
    path = ("models", model_id)
    flag, moment = entry["available_to"], entry["retires_at"]
    if flag and flags.get(flag, {}).get("kind") != "bool":
        sentence = f"There is no boolean flag {flag!r}."
        yield _fault((*path, "available_to"), flag, sentence, "unknown_flag")
    if moment is not None and not _is_moment(moment):
        yield _fault((*path, "retires_at"), moment, _NO_MOMENT.format(moment), "malformed")
    successor = entry["replaced_by"]
    if not successor:
        return
    why_not = _why_no_successor(model_id, entry, models)
    if why_not:
        yield _fault((*path, "replaced_by"), successor, why_not, "no_successor")


_NO_MOMENT: Final = "{0!r} is no moment: write it as 2026-12-31T18:00:00.000000Z."


def _why_no_successor(model_id: str, entry: Json, models: Mapping[str, Json]) -> str | None:
    seen = [model_id]
    while successor := models[seen[-1]]["replaced_by"]:
        if successor not in models:
            return f"There is no model {successor!r}." if len(seen) == 1 else None
        if models[successor]["model_type"] != entry["model_type"]:
            return f"{successor!r} is of another type." if len(seen) == 1 else None
        seen.append(successor)
        if successor in seen[:-1]:
            return f"This goes in a circle: {' → '.join(seen)}."
    return None


def _is_moment(text: str) -> bool:
    try:
        moment_of(text)
    except ValueError:
        return False
    return True


def _price_faults(model_id: str, prices: Mapping[str, Json]) -> Iterator[Fault]:
    for moment, entry in prices.items():
        path = ("models", model_id, "prices", moment)
        if not _is_moment(moment):
            yield _fault(path, moment, _NO_MOMENT.format(moment), "malformed")
            continue
        if entry["lines"] and entry["is_free"]:
            yield _fault(path, moment, "A price has lines, or it is free.", "free_with_lines")
        try:
            price_of_entry(model_id, moment, entry)
        except AIError as error:
            yield _fault(path, moment, str(error), error.code)


def _fault(path: Iterable[str | int], value: object, sentence: str, code: str) -> Fault:
    shown = value if isinstance(value, str | int | float | bool) or value is None else str(value)
    text = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return {"path": text, "value": shown, "message": sentence, "code": code}


def servable(section: Json, model_type: ModelType) -> dict[str, WhyNot]:
    """The ids of a type's models, each with why a rule may not serve it at some time, or None."""
    return {
        model_id: partial(_why_not, model_of(model_id, entry))
        for model_id, entry in section["models"].items()
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
