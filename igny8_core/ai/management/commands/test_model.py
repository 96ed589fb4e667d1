"""`manage.py test_model`: one tiny real call to a model, before accounts are sent to it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from igny8_core.ai.account_settings import platform_settings, settings_of
from igny8_core.ai.management import base
from igny8_core.ai.model_registry import ModelRegistry
from igny8_core.ai.providers import network, provider_for
from igny8_core.ai.providers.probe import probe
from igny8_core.catalogue.errors import UnknownModel
from igny8_core.modules.accounts.models import Account
from igny8_core.pricing.money import money_text


class Command(base.PipelineCommand):
    help = (
        "Make one tiny real call to a model, active or not: whether it answers, how fast, and what "
        "that costs. No account is charged, and there is no receipt."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("model", help="the model's id")
        parser.add_argument("--account", help="with this account's key; without it, the platform's")

    def handle(self, **options: Any) -> None:
        model = ModelRegistry.find(options["model"])
        if model is None:
            raise UnknownModel(options["model"], ModelRegistry.catalogue().models)
        account = options["account"] and Account.objects.by_key(options["account"])
        settings = settings_of(account) if account else platform_settings()
        asked = ModelRegistry.catalogue().providers[model.provider]
        provider = provider_for(asked, settings.connection(asked), offline_answers=False)
        timeout_s = settings.live.request_timeout_s
        found = network.wait(probe(provider, model, timezone.now(), timeout_s))
        if options["json"]:
            self.print_json(
                {
                    "model": found.model_id,
                    "model_served": found.model_served,
                    "latency_ms": found.latency_ms,
                    "meters": dict(found.usage.meters or {}),
                    "cost": None if found.cost is None else money_text(found.cost),
                    "why_no_cost": found.why_no_cost,
                    "usage": found.usage.block,
                }
            )
            return
        answered = found.model_served or "nobody says"
        self.print_rows(
            [
                ("model", f"{found.model_id}, answered as {answered}"),
                ("took", f"{found.latency_ms:,} ms"),
                ("used", found.used),
                ("cost", found.cost_text),
            ]
        )
