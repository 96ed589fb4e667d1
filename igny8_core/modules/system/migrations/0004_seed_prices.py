"""Each model's headline rates become its first price.

It begins long before the migration runs, so that a process whose clock is behind has it too.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

PER_MILLION = 1_000_000
# What the input rate and the output rate of each type of model are for.
METERS = {
    "text": ["input_tokens", "output_tokens"],
    "embedding": ["input_tokens"],
    "image": ["images"],
}


BEGINS = datetime(2025, 1, 1, tzinfo=UTC)


def give_prices(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    using = schema_editor.connection.alias
    prices = apps.get_model("system", "ModelPrice").objects.using(using)
    lines = apps.get_model("system", "RateLine").objects.using(using)
    for model in apps.get_model("system", "AIModel").objects.using(using).filter(prices=None):
        rates = zip(METERS[model.model_type], [model.input_rate, model.output_rate], strict=False)
        known = [(meter, rate) for meter, rate in rates if rate]
        if not known:
            continue
        price = prices.create(
            model=model,
            effective_from=min(model.created_at, BEGINS),
            source="the model's headline rates",
        )
        for meter, rate in known:
            per = 1 if meter == "images" else PER_MILLION
            lines.create(price=price, meter=meter, amount=rate, per=per)


class Migration(migrations.Migration):
    dependencies: ClassVar = [("system", "0003_prices")]

    operations: ClassVar = [migrations.RunPython(give_prices, migrations.RunPython.noop)]
