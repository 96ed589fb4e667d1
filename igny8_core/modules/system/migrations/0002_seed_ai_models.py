"""The plan's twelve models, where they are not there already."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

# provider, model type, id, name, input rate, output rate, and what else differs
MODELS: list[tuple[str, str, str, str, str, str, dict[str, Any]]] = [
    ("openai", "text", "gpt-4o-mini", "GPT-4o Mini", "0.15", "0.60", {"is_default": True}),
    ("openai", "text", "gpt-4o", "GPT-4o", "2.50", "10.00", {}),
    ("openai", "text", "gpt-4.1", "GPT-4.1", "2.00", "8.00", {}),
    ("openai", "text", "gpt-5.1", "GPT-5.1", "1.25", "10.00", {"max_tokens": 16000}),
    ("openai", "text", "gpt-5.2", "GPT-5.2", "1.75", "14.00", {"max_tokens": 16000}),
    ("anthropic", "text", "claude-3-sonnet", "Claude 3 Sonnet", "3.00", "15.00", {}),
    ("anthropic", "text", "claude-3-opus", "Claude 3 Opus", "15.00", "75.00", {}),
    ("anthropic", "text", "claude-3-haiku", "Claude 3 Haiku", "0.25", "1.25", {}),
    ("openai", "image", "dall-e-3", "DALL-E 3", "0.040", "0", {}),
    ("openai", "image", "dall-e-2", "DALL-E 2", "0.020", "0", {}),
    ("openai", "image", "gpt-image-1", "GPT Image 1", "0.042", "0", {}),
    ("runware", "image", "runware:97@1", "Runware 97@1", "0.009", "0", {}),
]
FIELDS = ("provider", "model_type", "model_id", "display_name", "input_rate", "output_rate")


def seed(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    rows = apps.get_model("system", "AIModel").objects.using(schema_editor.connection.alias)
    for sort_order, (*facts, further) in enumerate(MODELS):
        model = {**dict(zip(FIELDS, facts, strict=True)), **further, "sort_order": sort_order}
        if rows.filter(model_id=model["model_id"]).exists():
            continue
        if rows.filter(model_type=model["model_type"], is_default=True).exists():
            model["is_default"] = False
        rows.create(**model)


def unseed(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Take the rows out again that still are as they were seeded; what was edited stays."""
    rows = apps.get_model("system", "AIModel").objects.using(schema_editor.connection.alias)
    for *facts, _ in MODELS:
        rows.filter(**dict(zip(FIELDS, facts, strict=True))).delete()


class Migration(migrations.Migration):
    dependencies: ClassVar = [("system", "0001_initial")]

    operations: ClassVar = [migrations.RunPython(seed, unseed)]
