"""What is wrong with a catalogue section, and which of its models a rule may serve."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Final

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from igny8_core.catalogue.models import CatalogueModel, price_of
from igny8_core.catalogue.names import (
    MARKUP_FLAG,
    MODELS,
    PROVIDER_SWITCH,
    PROVIDERS,
    SECTION,
)
from igny8_core.catalogue.section import CatalogueSection, Json, model_of, moment_of, price_of_entry
from igny8_core.errors import AIError
from igny8_core.pricing.meters import ModelType
from igny8_core.pricing.money import DECIMALS
from igny8_core.pricing.quotes import MAX_MARKUP, MIN_MARKUP

_SECTION: Final = ("sections", SECTION)
_SHAPE: Final = TypeAdapter(CatalogueSection)
WhyNot = Callable[[datetime, datetime | None], str | None]


class SectionProblem(TypedDict):
    """What is wrong with it: a JSON pointer into the document, what stands there, a sentence."""

    path: str
    value: str | float | bool | None
    message: str
    code: str


def problems_of(section: object, flags: Mapping[str, Json]) -> Iterator[SectionProblem]:
    """What is wrong with anything that claims to be the section, in a document with these flags."""
    try:
        _SHAPE.validate_python(section)
    except ValidationError as error:
        for each in error.errors(include_url=False):
            yield _problem((*_SECTION, *each["loc"]), each["input"], each["msg"], each["type"])
        return
    yield from _markup_problems(flags)
    models: Mapping[str, Json] = section["models"]  # type: ignore[index]
    defaults: dict[str, str] = {}
    for model_id, entry in models.items():
        yield from _price_problems(model_id, entry["prices"])
        yield from _availability_problems(model_id, entry, models, flags)
        if entry["is_default"]:
            other = defaults.setdefault(entry["model_type"], model_id)
            if other != model_id:
                sentence = f"{other} is the default for {entry['model_type']} already."
                path = (*MODELS, model_id, "is_default")
                yield _problem(path, model_id, sentence, "two_defaults")


def _markup_problems(flags: Mapping[str, Json]) -> Iterator[SectionProblem]:
    """A markup that no charge can be made with."""
    flag = flags.get(MARKUP_FLAG)
    if flag is None:
        return
    if flag["kind"] not in {"int", "num"}:
        sentence = f"The flag {MARKUP_FLAG} is a number of percent."
        yield _problem(("flags", MARKUP_FLAG, "kind"), flag["kind"], sentence, "kind")
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
            path = ("flags", MARKUP_FLAG, "variants", variant)
            yield _problem(path, percent, sentence, "invalid_markup")


def _availability_problems(
    model_id: str, entry: Json, models: Mapping[str, Json], flags: Mapping[str, Json]
) -> Iterator[SectionProblem]:
    path = (*MODELS, model_id)
    flag, moment = entry["available_to"], entry["retires_at"]
    if flag and flags.get(flag, {}).get("kind") != "bool":
        sentence = f"There is no boolean flag {flag!r}."
        yield _problem((*path, "available_to"), flag, sentence, "unknown_flag")
    if moment is not None and not _is_moment(moment):
        yield _problem((*path, "retires_at"), moment, _NO_MOMENT.format(moment), "malformed")
    successor = entry["replaced_by"]
    if not successor:
        return
    why_not = _why_no_successor(model_id, entry, models)
    if why_not:
        yield _problem((*path, "replaced_by"), successor, why_not, "no_successor")


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


def _price_problems(model_id: str, prices: Mapping[str, Json]) -> Iterator[SectionProblem]:
    for moment, entry in prices.items():
        path = (*MODELS, model_id, "prices", moment)
        if not _is_moment(moment):
            yield _problem(path, moment, _NO_MOMENT.format(moment), "malformed")
            continue
        if entry["lines"] and entry["is_free"]:
            yield _problem(path, moment, "A price has lines, or it is free.", "free_with_lines")
        try:
            price_of_entry(model_id, moment, entry)
        except AIError as error:
            yield _problem(path, moment, str(error), error.code)


def _problem(path: Iterable[str | int], value: object, sentence: str, code: str) -> SectionProblem:
    shown = value if isinstance(value, str | int | float | bool) or value is None else str(value)
    text = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return {"path": text, "value": shown, "message": sentence, "code": code}


def switch_problems(switches: Iterable[str]) -> Iterator[SectionProblem]:
    """Switches that look like a provider's and switch nothing off."""
    there = f"there are {', '.join(PROVIDER_SWITCH + each for each in PROVIDERS)}"
    for switch in switches:
        provider = switch.removeprefix(PROVIDER_SWITCH)
        if provider != switch and provider not in PROVIDERS:
            sentence = (
                f"There is no provider {provider!r}, so {switch} would switch nothing off; {there}."
            )
            yield _problem(("switches", switch), switch, sentence, "unknown_provider")
        elif provider == switch and switch.strip().lower() in PROVIDERS:
            sentence = (
                f"{switch!r} would switch nothing off; a provider's switch is one of: {there}."
            )
            yield _problem(("switches", switch), switch, sentence, "unknown_provider")


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
