"""A revision's text is compressed: a tenth of its size for many rules."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

import flags.models.compressed


def fill(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """One row after the other: all texts at once may be more than the memory holds."""
    rows: Any = apps.get_model("flags", "Revision").objects.using(schema_editor.connection.alias)
    for number in [*rows.values_list("number", flat=True)]:
        row = rows.get(number=number)
        rows.filter(number=number).update(packed=row.text)


def empty(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    rows: Any = apps.get_model("flags", "Revision").objects.using(schema_editor.connection.alias)
    for number in [*rows.values_list("number", flat=True)]:
        row = rows.get(number=number)
        rows.filter(number=number).update(text=row.packed)


class Migration(migrations.Migration):
    dependencies: ClassVar = [("flags", "0007_held_back")]

    operations: ClassVar = [
        migrations.AddField(
            "revision", "packed", flags.models.compressed.CompressedTextField(default="")
        ),
        migrations.RunPython(fill, empty),
        migrations.RemoveField("revision", "text"),
        migrations.RenameField("revision", "packed", "text"),
        migrations.AlterField(
            "revision",
            "text",
            flags.models.compressed.CompressedTextField(
                help_text="The document as canonical JSON."
            ),
        ),
    ]
