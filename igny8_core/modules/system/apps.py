"""Stores the live settings' defaults after a migration; gives flags the models' vocabularies."""

from __future__ import annotations

from functools import partial

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from igny8_core.ai.values import ModelType


class SystemConfig(AppConfig):
    name = "igny8_core.modules.system"
    verbose_name = "AI models"

    def ready(self) -> None:
        from flags import sections
        from igny8_core import live_settings
        from igny8_core.modules.system.models import AIModel

        post_migrate.connect(live_settings.seed, sender=self)
        for model_type in ModelType:
            known = partial(AIModel.ids_of_type, model_type)
            sections.register_vocabulary(f"ai-model:{model_type}", known)
