"""Protects what receipts name, has flags keep their revisions, and past days marked as changed."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models import Exists, OuterRef, Q
from django.db.models.signals import post_migrate, pre_migrate


class UsageConfig(AppConfig):
    name = "igny8_core.modules.usage"
    verbose_name = "Usage"

    def ready(self) -> None:
        from flags import host
        from igny8_core import live_settings
        from igny8_core.modules.usage import guards, marks
        from igny8_core.modules.usage.models import Receipt

        guards.connect()
        pre_migrate.connect(marks.drop, sender=self)
        post_migrate.connect(marks.install, sender=self)
        named = Q(Exists(Receipt.objects.filter(revision=OuterRef("number"))))
        host.register_retention(host.Retention(live_settings.revisions_kept, named))
