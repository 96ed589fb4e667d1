"""Protects what receipts name, and has flags keep the revisions that they name."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models import Exists, OuterRef, Q


class UsageConfig(AppConfig):
    name = "igny8_core.modules.usage"
    verbose_name = "Usage"

    def ready(self) -> None:
        from flags import host
        from igny8_core import live_settings
        from igny8_core.modules.usage import guards
        from igny8_core.modules.usage.models import Receipt

        guards.connect()
        named = Q(Exists(Receipt.objects.filter(revision=OuterRef("number"))))
        host.register_retention(host.Retention(live_settings.revisions_kept, named))
