"""`manage.py flags_schema`: the JSON Schema of the document that operators publish."""

from __future__ import annotations

import json

from django.core.management.base import BaseCommand

from flags.engine import json_schema


class Command(BaseCommand):
    help = "Print the JSON Schema of the published document."

    def handle(self, **_options: object) -> None:
        self.stdout.write(json.dumps(json_schema(), indent=2))
