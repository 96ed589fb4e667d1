"""Declare the traits that every account has as columns, so that rules may ask for them."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

TRAITS = {
    "plan": "str",
    "country": "str",
    "status": "str",
    "is_internal": "bool",
    "created_at": "time",
}


def declare(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    declared = apps.get_model("flags", "Trait").objects
    for name, kind in TRAITS.items():
        declared.get_or_create(name=name, defaults={"type": kind})


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("flags", "0002_rules_and_overrides"),
    ]

    operations = [migrations.RunPython(declare, migrations.RunPython.noop)]
