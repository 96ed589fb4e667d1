"""The catalogue's rows -> its section of a document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from igny8_core.catalogue.problems import SectionProblem, problems_of, switch_problems
from igny8_core.catalogue.section import COLUMNS, moment_text
from igny8_core.modules.system.ai_models import AIModel
from igny8_core.modules.system.prices import ModelPrice
from igny8_core.modules.system.rate_lines import RateLine
from igny8_core.pricing.money import money_text

NOTES: Final = ("source", "source_url", "note")
Json = dict[str, Any]


def dump() -> Json:
    """The section of the rows as they are now. Three queries."""
    lines: dict[int, list[Json]] = {}
    for price, *columns in RateLine.objects.values_list(
        "price", "meter", "amount", "per", "condition"
    ):
        lines.setdefault(price, []).append(_line(*columns))
    prices: dict[int, Json] = {}
    for model, key, begins, *columns in ModelPrice.objects.values_list(
        "model", "pk", "effective_from", "currency", "is_free", *NOTES
    ):
        entry = _price(*columns, lines=lines.get(key, []))
        prices.setdefault(model, {})[moment_text(begins)] = entry
    models = {
        model_id: {**_columns(columns), "prices": prices.get(key, {})}
        for key, model_id, *columns in AIModel.objects.values_list("pk", "model_id", *COLUMNS)
    }
    return {"models": models}


def _columns(values: Iterable[Any]) -> Json:
    columns = dict(zip(COLUMNS, values, strict=True))
    retires_at = columns["retires_at"]
    if columns["context_window"] is None:
        del columns["context_window"]
    return {**columns, "retires_at": retires_at and moment_text(retires_at)}


def _price(currency: str, is_free: bool, *notes: str, lines: list[Json]) -> Json:  # noqa: FBT001 - a column
    said = {name: note for name, note in zip(NOTES, notes, strict=True) if note}
    return {"currency": currency, "is_free": is_free, "lines": lines, **said}


def _line(meter: str, amount: Any, per: int, condition: Any) -> Json:
    entry = {"meter": meter, "amount": money_text(amount), "per": per}
    return {**entry, "condition": condition} if condition else entry


def problems(section: object, document: Mapping[str, Any]) -> Iterator[SectionProblem]:
    """What is wrong with the section, and with switches of providers that there are not."""
    yield from problems_of(section, document["flags"])
    yield from switch_problems(document["switches"])


def dump_prices(rows: Mapping[str, ModelPrice]) -> dict[str, Json]:
    """A model's prices by the moments at which they begin."""
    return {
        moment: _price(
            row.currency,
            row.is_free,
            *(getattr(row, name) for name in NOTES),
            lines=[
                _line(line.meter, line.amount, line.per, line.condition) for line in row.lines.all()
            ],
        )
        for moment, row in rows.items()
    }
