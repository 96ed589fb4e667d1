"""What is wrong with a catalogue section."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from igny8_core.catalogue.names import (
    MARKUP_FLAG,
    MODELS,
    SECTION,
)
from igny8_core.catalogue.naming_problems import (
    alias_problems,
    provider_problems,
    switch_problems,
)
from igny8_core.catalogue.problem import NO_MOMENT, SectionProblem, is_moment, problem
from igny8_core.catalogue.section import (
    CatalogueSection,
    Json,
    price_of_entry,
    providers_of,
)
from igny8_core.errors import AIError
from igny8_core.pricing.money import DECIMALS
from igny8_core.pricing.quotes import MAX_MARKUP, MIN_MARKUP

_SECTION: Final = ("sections", SECTION)
_SHAPE: Final = TypeAdapter(CatalogueSection)


def problems_of(section: object, document: Mapping[str, Any]) -> Iterator[SectionProblem]:
    """What is wrong with anything that claims to be a document's section, and with its switches."""
    flags: Mapping[str, Json] = document["flags"]
    try:
        _SHAPE.validate_python(section)
    except ValidationError as error:
        for each in error.errors(include_url=False):
            yield problem((*_SECTION, *each["loc"]), each["input"], each["msg"], each["type"])
        return
    yield from _markup_problems(flags)
    models: Mapping[str, Json] = section["models"]  # type: ignore[index]
    defaults: dict[str, str] = {}
    providers = providers_of(section)  # type: ignore[arg-type]
    yield from switch_problems(providers, document["switches"])
    yield from provider_problems(providers)
    yield from alias_problems(section.get("aliases", {}), models)  # type: ignore[attr-defined]
    for model_id, entry in models.items():
        if entry["provider"] not in providers:
            sentence = f"There is no provider {entry['provider']!r}, but {', '.join(providers)}."
            path = (*MODELS, model_id, "provider")
            yield problem(path, entry["provider"], sentence, "unknown_provider")
        yield from _price_problems(model_id, entry["prices"])
        yield from _availability_problems(model_id, entry, models, flags)
        if entry["is_default"]:
            other = defaults.setdefault(entry["model_type"], model_id)
            if other != model_id:
                sentence = f"{other} is the default for {entry['model_type']} already."
                path = (*MODELS, model_id, "is_default")
                yield problem(path, model_id, sentence, "two_defaults")


def _markup_problems(flags: Mapping[str, Json]) -> Iterator[SectionProblem]:
    """A markup that no charge can be made with."""
    flag = flags.get(MARKUP_FLAG)
    if flag is None:
        return
    if flag["kind"] not in {"int", "num"}:
        sentence = f"The flag {MARKUP_FLAG} is a number of percent."
        yield problem(("flags", MARKUP_FLAG, "kind"), flag["kind"], sentence, "kind")
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
            yield problem(path, percent, sentence, "invalid_markup")


def _availability_problems(
    model_id: str, entry: Json, models: Mapping[str, Json], flags: Mapping[str, Json]
) -> Iterator[SectionProblem]:
    path = (*MODELS, model_id)
    flag, moment = entry["available_to"], entry["retires_at"]
    if flag and flags.get(flag, {}).get("kind") != "bool":
        sentence = f"There is no boolean flag {flag!r}."
        yield problem((*path, "available_to"), flag, sentence, "unknown_flag")
    if moment is not None and not is_moment(moment):
        yield problem((*path, "retires_at"), moment, NO_MOMENT.format(moment), "malformed")
    successor = entry["replaced_by"]
    if not successor:
        return
    if why_not := _why_no_successor(model_id, entry, models):
        yield problem((*path, "replaced_by"), successor, why_not, "no_successor")


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


def _price_problems(model_id: str, prices: Mapping[str, Json]) -> Iterator[SectionProblem]:
    for moment, entry in prices.items():
        path = (*MODELS, model_id, "prices", moment)
        if not is_moment(moment):
            yield problem(path, moment, NO_MOMENT.format(moment), "malformed")
            continue
        if entry["lines"] and entry["is_free"]:
            yield problem(path, moment, "A price has lines, or it is free.", "free_with_lines")
        try:
            price_of_entry(model_id, moment, entry).check_tiers()
        except AIError as error:
            yield problem(path, moment, str(error), error.code)
