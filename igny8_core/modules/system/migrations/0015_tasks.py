"""The tasks that apps declare, filled in from those that this process registers."""

from __future__ import annotations

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from igny8_core.tasks.tasks import TASKS


def fill(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """So that they are in the revision of this `migrate`; whatever changes later, it writes too."""
    rows = apps.get_model("system", "AITask").objects.using(schema_editor.connection.alias)
    for task in TASKS.values():
        rows.create(
            key=task.key,
            model_type=task.model_type.value,
            needs_json_mode=task.needs.json_mode,
            needs_vision=task.needs.vision,
            needs_context_tokens=task.needs.context_tokens,
            prompt=task.prompt,
            parameters=dict(task.parameters),
        )


class Migration(migrations.Migration):
    dependencies = [("system", "0014_catalogue_rates")]

    operations = [
        migrations.CreateModel(
            name="AITask",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=100, unique=True)),
                (
                    "model_type",
                    models.CharField(
                        choices=[("text", "text"), ("image", "image"), ("embedding", "embedding")],
                        max_length=20,
                    ),
                ),
                (
                    "needs_json_mode",
                    models.BooleanField(default=False, verbose_name="needs JSON mode"),
                ),
                ("needs_vision", models.BooleanField(default=False)),
                (
                    "needs_context_tokens",
                    models.PositiveIntegerField(
                        default=0, help_text="The least context that a model must hold."
                    ),
                ),
                (
                    "prompt",
                    models.TextField(blank=True, help_text="Where no prompt of ours replaces it."),
                ),
                (
                    "parameters",
                    models.JSONField(
                        blank=True, default=dict, help_text="Where nobody sets another value."
                    ),
                ),
            ],
            options={
                "verbose_name": "AI task",
                "db_table": "igny8_ai_tasks",
                "ordering": ["key"],
            },
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="aiprompt", name="task", field=models.CharField(max_length=100)
        ),
        migrations.AlterField(
            model_name="globalaiprompt", name="task", field=models.CharField(max_length=100)
        ),
    ]
