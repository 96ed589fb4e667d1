"""Stores the live settings' defaults after a migration; gives flags the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from igny8_core.ai.values import ModelType

SECTION = "catalogue"
PREFERENCES = "preferences"


class SystemConfig(AppConfig):
    name = "igny8_core.modules.system"
    verbose_name = "AI models"

    def ready(self) -> None:
        from flags import sections, signals
        from igny8_core import live_settings
        from igny8_core.ai.catalogue import compile_section, servable
        from igny8_core.modules.system import catalogue
        from igny8_core.modules.system.models import (
            AIModel,
            IntegrationSettings,
            ModelPrice,
            RateLine,
        )

        post_migrate.connect(live_settings.seed, sender=self)
        signals.watch(AIModel, ModelPrice, RateLine)
        sections.register_section(
            SECTION,
            sections.Section(
                catalogue.dump,
                catalogue.faults,
                catalogue.restore,
                catalogue.sentences,
                compile_section,
            ),
        )

        preferences = sections.AccountFacts(
            IntegrationSettings.preferences_of,
            IntegrationSettings.preferences_of_many,
            IntegrationSettings.PREFERENCES,
        )
        sections.register_account_facts(PREFERENCES, preferences)
        signals.watch_facts(IntegrationSettings, lambda settings: settings.account.key)

        def known(model_type: ModelType) -> sections.Vocabulary:
            def of(among: Mapping[str, Mapping[str, Any]]) -> Mapping[str, sections.WhyNot]:
                return servable(among.get(SECTION, {"models": {}}), model_type)

            return of

        for model_type in ModelType:
            sections.register_vocabulary(f"ai-model:{model_type}", known(model_type))
