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
from igny8_core.modules.system.section_rows import dump_providers

_AT_ONCE: Final = 500
Json = dict[str, Any]


def restore_providers(wanted: Mapping[str, Json]) -> None:
    there = dump_providers()
    for name, entry in wanted.items():
        if there.get(name) == entry:
            continue
        row = AIProvider.objects.filter(name=name).first() or AIProvider(name=name)
        for column in ("display_name", "protocol", "base_url", "prices_unknown"):
            setattr(row, column, entry[column])
        row.tiers = entry["standard_tiers"]
        fit(row, *PROVIDER_ROWS, name)
        row.save()


def restore_aliases(wanted: Mapping[str, Mapping[str, str]]) -> None:
    says = {
        (name, moment): model_id
        for name, entry in wanted.items()
        for moment, model_id in entry.items()
    }
    gone = []
    for row in ModelAlias.objects.select_related("model"):
        if says.get(key := (row.name, moment_text(row.effective_from))) == row.model.model_id:
            del says[key]
        else:
            gone.append(row.pk)
    ModelAlias._base_manager.filter(pk__in=gone).delete()
    models = dict(AIModel.objects.values_list("model_id", "pk"))
    new = []
    for (name, moment), model_id in says.items():
        new.append(
            ModelAlias(name=name, effective_from=moment_of(moment), model_id=models[model_id])
        )
        fit(new[-1], *ALIASES, name, moment)
    ModelAlias._base_manager.bulk_create(new, batch_size=_AT_ONCE)
