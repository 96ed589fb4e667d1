"""`manage.py rotate_keys`: encrypt every provider key anew with the first of ENCRYPTION_KEYS."""

from __future__ import annotations

from typing import Any

from igny8_core.ai.management import base
from igny8_core.modules.system.models import ProviderKey


class Command(base.PipelineCommand):
    help = "Encrypt every stored provider key anew with the first of ENCRYPTION_KEYS."

    def handle(self, **options: Any) -> None:
        rotated = ProviderKey.rotate()
        if options["json"]:
            self.print_json({"rotated": rotated})
        else:
            self.stdout.write(f"{rotated} keys rotated; the other ENCRYPTION_KEYS can go now.")
