"""`manage.py rotate_keys`: encrypt every provider key anew with the first of ENCRYPTION_KEYS."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from igny8_core.ai.management import base
from igny8_core.modules.system.models import GlobalIntegrationSettings, IntegrationSettings


class Command(base.PipelineCommand):
    help = "Encrypt every stored provider key anew with the first of ENCRYPTION_KEYS."

    def handle(self, **options: Any) -> None:
        rotated = 0
        with transaction.atomic():
            for model in (GlobalIntegrationSettings, IntegrationSettings):
                rotated += sum(row.rotate_keys() for row in model.objects.select_for_update())
        if options["json"]:
            self.print_json({"rotated": rotated})
        else:
            self.stdout.write(f"{rotated} keys rotated; the other ENCRYPTION_KEYS can go now.")
