"""Each flag keeps the salt that its name was, so that a new name deals no account anew."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.db.models import F


def keep_salts(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("flags", "Flag").objects.filter(salt="").update(salt=F("name"))


class Migration(migrations.Migration):
    dependencies = [("flags", "0002_rules_and_overrides")]

    operations = [migrations.RunPython(keep_salts, migrations.RunPython.noop)]
