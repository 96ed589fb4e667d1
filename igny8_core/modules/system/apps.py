"""The app's name for Django; stores the live settings' defaults after a migration."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class SystemConfig(AppConfig):
    name = "igny8_core.modules.system"
    verbose_name = "AI models"

    def ready(self) -> None:
        from igny8_core import live_settings

        post_migrate.connect(live_settings.seed, sender=self)
