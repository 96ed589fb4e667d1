"""The catalogue's rows -> its section of a document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from igny8_core.catalogue.section import COLUMNS, moment_text
from igny8_core.modules.system.ai_models import AIModel
from igny8_core.modules.system.prices import ModelPrice
from igny8_core.modules.system.providers import AIProvider
from igny8_core.pricing.money import money_text

NOTES: Final = ("source", "source_url", "note")
Json = dict[str, Any]


def dump() -> Json:
    """The section of the rows as they are now. Three queries."""
    prices: dict[int, Json] = {}
    of_line = ("lines__meter", "lines__amount", "lines__per", "lines__condition")
    for model, begins, meter, amount, per, condition, *columns in ModelPrice.objects.order_by(
        "pk", "lines__pk"
    ).values_list("model", "effective_from", *of_line, "currency", "is_free", *NOTES):
        entries = prices.setdefault(model, {})
        entry = entries.setdefault(moment_text(begins), _price(*columns, lines=[]))
        if meter is not None:
            entry["lines"].append(_line(meter, amount, per, condition))
    models: dict[str, Json] = {}
    aliases: dict[str, Json] = {}
    for key, model_id, alias, begins, *columns in AIModel.objects.values_list(
        "pk", "model_id", "aliases__name", "aliases__effective_from", *COLUMNS
    ):
        models[model_id] = {**_columns(columns), "prices": prices.get(key, {})}
        if alias is not None:
            aliases.setdefault(alias, {})[moment_text(begins)] = model_id
    return {
        "models": models,
        "providers": {row.name: provider_entry(row) for row in AIProvider.objects.all()},
        "aliases": dict(sorted(aliases.items())),
    }


def provider_entry(row: AIProvider) -> Json:
    return {
        "display_name": row.display_name,
        "protocol": row.protocol,
        "base_url": row.base_url,
        "standard_tiers": row.tiers,
        "prices_unknown": row.prices_unknown,
    }


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
