"""The catalogue's rows <-> its section of a document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import ProtectedError
from django.db.models.deletion import Collector
from django.db.models.signals import pre_delete
from django.utils import timezone

from flags.host import fit
from igny8_core.catalogue.names import MODELS
from igny8_core.catalogue.problems import SectionProblem, problems_of, switch_problems
from igny8_core.catalogue.putting_back import is_same_price, restored_prices
from igny8_core.catalogue.section import COLUMNS, line_of, moment_of, moment_text
from igny8_core.modules.system.ai_models import AIModel
from igny8_core.modules.system.errors import ModelInUse
from igny8_core.modules.system.headline import RATES
from igny8_core.modules.system.prices import ModelPrice
from igny8_core.modules.system.rate_lines import RateLine
from igny8_core.pricing.money import money_text

_NOTES: Final = ("source", "source_url", "note")
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
        "model", "pk", "effective_from", "currency", "is_free", *_NOTES
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
    return {**columns, "retires_at": retires_at and moment_text(retires_at)}


def _price(currency: str, is_free: bool, *notes: str, lines: list[Json]) -> Json:  # noqa: FBT001 - a column
    said = {name: note for name, note in zip(_NOTES, notes, strict=True) if note}
    return {"currency": currency, "is_free": is_free, "lines": lines, **said}


def _line(meter: str, amount: Any, per: int, condition: Any) -> Json:
    entry = {"meter": meter, "amount": money_text(amount), "per": per}
    return {**entry, "condition": condition} if condition else entry


def problems(section: object, document: Mapping[str, Any]) -> Iterator[SectionProblem]:
    """What is wrong with the section, and with switches of providers that there are not."""
    yield from problems_of(section, document["flags"])
    yield from switch_problems(document["switches"])


def restore(section: Json) -> None:
    """Make the rows say what the section says.

    A price that has begun stays: the one in force is restored by a new one from now. A model that
    the section lacks goes, or becomes inactive where a receipt or a preference names it.
    """
    wanted: dict[str, Json] = section["models"]
    for row in AIModel.objects.exclude(model_id__in=wanted):
        _remove(row)
    there = {row.model_id: row for row in AIModel.objects.all()}
    # A new default clears the old one by itself, so those that are none come first.
    for model_id, entry in sorted(wanted.items(), key=lambda item: item[1]["is_default"]):
        row = there.get(model_id) or AIModel(model_id=model_id)
        retires_at = entry["retires_at"] and moment_of(entry["retires_at"])
        columns = {**entry, "retires_at": retires_at}
        changed = [name for name in COLUMNS if getattr(row, name) != columns[name]]
        for name in changed:
            setattr(row, name, columns[name])
        fit(row, *MODELS, model_id)
        if row._state.adding:
            row.save()
        elif changed:
            row.save(update_fields=[*changed, "updated_at"])
        now = timezone.now()
        _restore_prices(row, entry["prices"], now)
        _restore_headline(row.pk, now)


def restored(section: Json, wanted: Json) -> Json:
    """What `dump` would give after `restore(wanted)`, where it gives this section now."""
    now = timezone.now()
    there: dict[str, Json] = section["models"]
    models: dict[str, Json] = {}
    for row in AIModel.objects.exclude(model_id__in=wanted["models"]):
        if not _may_go(row):
            models[row.model_id] = {
                **there[row.model_id],
                "is_active": False,
                "is_default": False,
            }
    for model_id, entry in wanted["models"].items():
        prices = entry["prices"]
        if model_id in there and there[model_id]["prices"]:
            prices = restored_prices(there[model_id]["prices"], prices, now)
        models[model_id] = {**entry, "prices": prices}
    return {"models": models}


def _may_go(row: AIModel) -> bool:
    """Whether nothing prevents its deletion; it is not deleted."""
    try:
        pre_delete.send(sender=AIModel, instance=row, using=row._state.db, origin=row)
        Collector(using=str(row._state.db)).collect([row])
    except (ModelInUse, ProtectedError):
        return False
    return True


def _restore_headline(key: int, now: datetime) -> None:
    """The columns say the last headline that was written; here the price in force is that."""
    row = AIModel.objects.prefetch_related("prices__lines").get(pk=key)
    row.take_headline(now)
    if row.fits_the_columns():
        rates = {name: getattr(row, name) for name in RATES}
        AIModel.objects.filter(pk=key).exclude(**rates).update(**rates)


def _remove(row: AIModel) -> None:
    try:
        with transaction.atomic():
            row.delete()
    except (ModelInUse, ProtectedError):
        row.is_active = row.is_default = False
        row.save(update_fields=["is_active", "is_default", "updated_at"])


def _restore_prices(row: AIModel, wanted: Mapping[str, Json], now: datetime) -> None:
    there = {moment_text(price.effective_from): price for price in row.prices.all()}
    held = dump_prices(there)
    for moment, price in there.items():
        is_scheduled = price.effective_from > now
        if is_scheduled and held[moment] != wanted.get(moment):
            price.delete()
    begun = [moment for moment in sorted(wanted) if moment_of(moment) <= now]
    scheduled = [moment for moment in sorted(wanted) if moment_of(moment) > now]
    if not there:
        # Before its first price a model has no past to change.
        missing = [*reversed(begun), *scheduled]
    else:
        in_force = max((m for m in there if moment_of(m) <= now), default=None)
        if begun and (in_force is None or not is_same_price(held[in_force], wanted[begun[-1]])):
            last = max(
                (price.effective_from for price in there.values() if price.has_begun), default=now
            )
            _publish(row, max(now, last + timedelta(microseconds=1)), wanted[begun[-1]])
        missing = [moment for moment in scheduled if held.get(moment) != wanted[moment]]
    for moment in missing:
        _publish(row, moment_of(moment), wanted[moment])


def dump_prices(rows: Mapping[str, ModelPrice]) -> dict[str, Json]:
    """A model's prices by the moments at which they begin."""
    return {
        moment: _price(
            row.currency,
            row.is_free,
            *(getattr(row, name) for name in _NOTES),
            lines=[
                _line(line.meter, line.amount, line.per, line.condition) for line in row.lines.all()
            ],
        )
        for moment, row in rows.items()
    }


def _publish(row: AIModel, begins: datetime, entry: Json) -> None:
    notes = {name: entry.get(name, "") for name in _NOTES}
    fit(ModelPrice(**notes), *MODELS, row.model_id, "prices", moment_text(begins))
    ModelPrice.publish(
        row,
        [line_of(line) for line in entry["lines"]],
        effective_from=begins,
        is_free=entry["is_free"],
        **notes,
    )
