"""Stores live settings and tasks after a migration; registers catalogue and tasks with flags."""

from __future__ import annotations

from functools import partial

from django.apps import AppConfig
from django.core.checks import Tags, register
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate

from igny8_core.catalogue.names import PREFERENCES, REACH, SECTION, vocabulary_of
from igny8_core.catalogue.problems import problems_of
from igny8_core.catalogue.putting_back import partners
from igny8_core.catalogue.section import compile_section
from igny8_core.catalogue.servable import servable
from igny8_core.catalogue.words import sentences
from igny8_core.pricing.meters import ModelType
from igny8_core.tasks import section as tasks


class SystemConfig(AppConfig):
    name = "igny8_core.modules.system"
    verbose_name = "AI models"

    def ready(self) -> None:
        from flags import host
        from igny8_core import checks, live_settings, sqlite_file
        from igny8_core.modules.system import (
            declared_tasks,
            provider_use,
            reach,
            section_restore,
            section_rows,
            task_flags,
        )
        from igny8_core.modules.system.models import (
            AIModel,
            AIPrompt,
            AIProvider,
            AITask,
            GlobalAIPrompt,
            GlobalIntegrationSettings,
            IntegrationSettings,
            ModelAlias,
            ModelPrice,
            ProviderKey,
            RateLine,
        )

        provider_use.connect()
        post_migrate.connect(live_settings.seed, sender=self)
        connection_created.connect(sqlite_file.keep_private)
        register(checks.check_settings)
        register(checks.check_deployment, deploy=True)
        host.watch(AIModel, AIProvider, AITask, ModelAlias, ModelPrice, RateLine)
        host.register_section(
            SECTION,
            host.Section(
                section_rows.dump,
                problems_of,
                section_restore.restore,
                section_restore.restored,
                sentences,
                compile_section,
                stop="is_active",
                inner=("prices",),
                partners=partners,
            ),
        )
        host.register_section(
            tasks.SECTION,
            host.Section(
                declared_tasks.dump,
                tasks.problems_of,
                declared_tasks.restore,
                declared_tasks.restored,
                tasks.sentences,
                tasks.compile_section,
                stop="",
                inner=(),
                partners=lambda *_entry: (),
            ),
        )
        preferences = host.AccountFacts(
            IntegrationSettings.preferences_of,
            IntegrationSettings.preferences_of_many,
            IntegrationSettings.PREFERENCES,
        )
        host.register_account_facts(PREFERENCES, preferences)
        host.watch_facts(IntegrationSettings, lambda settings: settings.account.key)
        host.register_account_facts(REACH, host.AccountFacts(reach.reach_of, reach.reach_of_many))
        host.watch_facts(ProviderKey, lambda row: row.tells)
        host.watch_facts(AIPrompt, lambda prompt: prompt.account.key)
        for of_all in (live_settings.STORED, GlobalIntegrationSettings, GlobalAIPrompt):
            host.watch_facts(of_all, lambda _row: host.ALL_ACCOUNTS)
        host.keep_flags(task_flags.kept)
        post_migrate.connect(task_flags.add_missing, sender=self)
        register(task_flags.check, Tags.database)
        for model_type in ModelType:
            known = partial(servable, model_type=model_type)
            host.register_vocabulary(vocabulary_of(model_type), known)
