"""A section's providers and aliases -> their rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flags.host import fit
from igny8_core.catalogue.names import ALIASES, PROVIDER_ROWS
from igny8_core.catalogue.section import moment_of, moment_text
from igny8_core.modules.system.ai_models import AIModel
from igny8_core.modules.system.aliases import ModelAlias
from igny8_core.modules.system.providers import AIProvider
from igny8_core.modules.system.section_rows import provider_entry

_AT_ONCE: Final = 500
_COLUMNS: Final = ("display_name", "protocol", "base_url", "prices_unknown")
Json = dict[str, Any]


def restore_providers(wanted: Mapping[str, Json]) -> None:
    rows = {row.name: row for row in AIProvider.objects.all()}
    there = {name: provider_entry(row) for name, row in rows.items()}
    new: list[AIProvider] = []
    changed: list[AIProvider] = []
    for name, entry in wanted.items():
        if there.get(name) == entry:
            continue
        row = rows.get(name) or AIProvider(name=name)
        for column in _COLUMNS:
            setattr(row, column, entry[column])
        row.tiers = entry["standard_tiers"]
        fit(row, *PROVIDER_ROWS, name)
        (new if row._state.adding else changed).append(row)
    every = AIProvider._base_manager
    every.bulk_update(changed, [*_COLUMNS, "standard_tiers"], batch_size=_AT_ONCE)
    every.bulk_create(new, batch_size=_AT_ONCE)


def restore_aliases(wanted: Mapping[str, Mapping[str, str]]) -> None:
    models = dict(AIModel.objects.values_list("model_id", "pk"))
    says = {
        (name, moment): models[model_id]
        for name, entry in wanted.items()
        for moment, model_id in entry.items()
    }
    rows = ModelAlias.objects.values_list("pk", "name", "effective_from", "model_id")
    there = {pk: ((name, moment_text(begins)), model) for pk, name, begins, model in rows}
    gone = [pk for pk, (key, model) in there.items() if says.get(key) != model]
    ModelAlias._base_manager.filter(pk__in=gone).delete()
    kept = {key for pk, (key, _) in there.items() if pk not in {*gone}}
    new = []
    for (name, moment), model in says.items():
        if (name, moment) not in kept:
            new.append(ModelAlias(name=name, effective_from=moment_of(moment), model_id=model))
            fit(new[-1], *ALIASES, name, moment)
    ModelAlias._base_manager.bulk_create(new, batch_size=_AT_ONCE)
