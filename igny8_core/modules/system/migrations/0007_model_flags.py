"""A flag for each model type and each task: what operators say there decides; now they say nothing."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

TYPES = {
    "text": [
        "auto_cluster",
        "generate_ideas",
        "generate_content",
        "generate_image_prompts",
    ],
    "image": ["generate_images"],
    "embedding": ["embed_text"],
}
MARKUP = "pricing.markup_percent"


def add_flags(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    flags = apps.get_model("flags", "Flag").objects.using(schema_editor.connection.alias)
    for model_type, tasks in TYPES.items():
        for name in (model_type, *tasks):
            which = "every task" if name == model_type else f"the task {name}"
            flags.get_or_create(
                name=name,
                defaults={
                    "kind": "str",
                    "vocabulary": f"ai-model:{model_type}",
                    "salt": name,
                    "note": f"The {model_type} model for {which}.",
                },
            )
    markup, is_new = flags.get_or_create(
        name=MARKUP,
        defaults={
            "kind": "num",
            "salt": MARKUP,
            "note": "Percent that an account pays above the cost.",
        },
    )
    if is_new:
        variants = apps.get_model("flags", "Variant").objects.using(flags.db)
        variants.create(flag=markup, key="none", value=0)


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("system", "0006_availability"),
        ("flags", "0005_account_changes"),
    ]

    operations: ClassVar = [migrations.RunPython(add_flags, migrations.RunPython.noop)]
