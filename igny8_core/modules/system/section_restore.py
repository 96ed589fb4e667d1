"""The catalogue's section of a document -> its rows; and what they would say, unwritten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db import models, transaction
from django.utils import timezone

from flags.host import fit, mark_changed
from igny8_core.catalogue.names import MODELS, PROVIDERS
from igny8_core.catalogue.putting_back import restored_prices
from igny8_core.catalogue.section import COLUMNS, moment_of, moment_text
from igny8_core.modules.system.ai_models import AIModel
from igny8_core.modules.system.headline import RATES
from igny8_core.modules.system.keys import ProviderKey
from igny8_core.modules.system.naming import in_use
from igny8_core.modules.system.prices import ModelPrice
from igny8_core.modules.system.providers import AIProvider
from igny8_core.modules.system.rate_lines import RateLine
from igny8_core.modules.system.restored_names import restore_aliases, restore_providers
from igny8_core.modules.system.section_rows import NOTES, dump, dump_prices

_AT_ONCE: Final = 500
Json = dict[str, Any]


def restored(section: Json, wanted: Json) -> Json:
    """What `dump` would give after `restore(wanted)`, where it gives this section now.

    A price that has begun stays: the one in force is restored by a new one from now. A model that
    the section lacks goes, or becomes inactive where a receipt or a preference names it. Where the
    section says nothing of providers or aliases, they stay.
    """
    now = timezone.now()
    there: dict[str, Json] = section["models"]
    stay = in_use(_lacking(wanted))
    made = {
        model_id: {**entry, "is_active": False, "is_default": False}
        for model_id, entry in there.items()
        if model_id in stay
    }
    for model_id, entry in wanted["models"].items():
        had = there[model_id]["prices"] if model_id in there else {}
        made[model_id] = {**entry, "prices": restored_prices(had, entry["prices"], now)}
    wanted = {**section, **wanted}
    had = section["providers"]
    providers = {name: had[name] for name in _staying(had, wanted)} | wanted["providers"]
    return {
        "models": made,
        "providers": {
            name: {**entry, "standard_tiers": sorted({*entry["standard_tiers"]})}
            for name, entry in providers.items()
        },
        "aliases": {
            name: kept
            for name, entry in wanted["aliases"].items()
            if name not in made and (kept := {at: to for at, to in entry.items() if to in made})
        },
    }


def _staying(there: Iterable[str], wanted: Json) -> list[str]:
    """The providers that the section lacks, and that are there from the start or are named."""
    keys = ProviderKey.objects.values_list("provider", flat=True).distinct()
    models = AIModel.objects.filter(model_id__in=in_use(_lacking(wanted)))
    named = {*PROVIDERS, *keys, *models.values_list("provider", flat=True)}
    return [name for name in there if name in named and name not in wanted["providers"]]


def restore(section: Json) -> None:
    """Make the rows say what `restored` says; a few statements, however many they are."""
    now = timezone.now()
    with transaction.atomic():
        mark_changed()
        made = restored(dump(), section)
        restore_providers(made["providers"])
        _remove(_lacking(section), now)
        _restore_columns(section["models"], now)
        restore_aliases(made["aliases"])
        AIProvider.objects.exclude(name__in=made["providers"]).delete()
        _restore_prices(section["models"], now)
        _restore_headlines(now)


def _lacking(wanted: Json) -> models.QuerySet[AIModel]:
    return AIModel.objects.exclude(model_id__in=wanted["models"])


def _remove(rows: models.QuerySet[AIModel], now: datetime) -> None:
    stay = AIModel._base_manager.filter(model_id__in=in_use(rows))
    stay.update(is_active=False, is_default=False, updated_at=now)
    going = rows.exclude(model_id__in=stay.values("model_id"))
    AIModel._base_manager.filter(pk__in=[*going.values_list("pk", flat=True)]).delete()


def _restore_columns(wanted: Mapping[str, Json], now: datetime) -> None:
    rows = {row.model_id: row for row in AIModel.objects.all()}
    new: list[AIModel] = []
    changed: list[AIModel] = []
    written = {"updated_at"}
    for model_id, entry in wanted.items():
        row = rows.get(model_id) or AIModel(model_id=model_id)
        columns = {**entry, "retires_at": entry["retires_at"] and moment_of(entry["retires_at"])}
        differing = [name for name in COLUMNS if getattr(row, name) != columns.get(name)]
        for name in differing:
            setattr(row, name, columns.get(name))
        fit(row, *MODELS, model_id)
        if row._state.adding:
            new.append(row)
        elif differing:
            row.updated_at = now
            changed.append(row)
            written.update(differing)
    every = AIModel._base_manager
    # One default a type: the old ones go first.
    defaults = [model_id for model_id, entry in wanted.items() if entry["is_default"]]
    every.exclude(model_id__in=defaults).filter(is_default=True).update(is_default=False)
    every.bulk_update(changed, written, batch_size=_AT_ONCE)
    every.bulk_create(new, batch_size=_AT_ONCE)


def _restore_prices(wanted: Mapping[str, Json], now: datetime) -> None:
    rows = {row.model_id: row for row in AIModel.objects.prefetch_related("prices__lines")}
    cancelled: list[int] = []
    new: list[tuple[ModelPrice, Mapping[str, Any]]] = []
    for model_id, entry in wanted.items():
        model = rows[model_id]
        there = {moment_text(price.effective_from): price for price in model.prices.all()}
        had = dump_prices(there)
        wants = restored_prices(had, entry["prices"], now)
        cancelled += [
            price.pk for moment, price in there.items() if wants.get(moment) != had[moment]
        ]
        new += [
            (_price_row(model, moment, price), price)
            for moment, price in wants.items()
            if had.get(moment) != price
        ]
    ModelPrice._base_manager.filter(pk__in=cancelled).delete()
    ModelPrice._base_manager.bulk_create([row for row, _ in new], batch_size=_AT_ONCE)
    lines = [
        RateLine(
            price=row,
            meter=line["meter"],
            amount=Decimal(line["amount"]),
            per=line["per"],
            condition=line.get("condition") or {},
        )
        for row, price in new
        for line in price["lines"]
    ]
    RateLine._base_manager.bulk_create(lines, batch_size=_AT_ONCE)


def _price_row(model: AIModel, moment: str, entry: Mapping[str, Any]) -> ModelPrice:
    notes = {name: entry.get(name, "") for name in NOTES}
    row = ModelPrice(
        model=model,
        effective_from=moment_of(moment),
        currency=entry["currency"],
        is_free=entry["is_free"],
        **notes,
    )
    fit(row, *MODELS, model.model_id, "prices", moment)
    return row


def _restore_headlines(now: datetime) -> None:
    """The columns say the last headline that was written; here the price in force is that."""
    changed = []
    for row in AIModel.objects.prefetch_related("prices__lines"):
        before = [getattr(row, name) for name in RATES]
        row.take_headline(now)
        if row.fits_the_columns() and before != [getattr(row, name) for name in RATES]:
            changed.append(row)
    AIModel._base_manager.bulk_update(changed, RATES, batch_size=_AT_ONCE)
