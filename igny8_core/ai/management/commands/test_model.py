"""`manage.py test_model`: one tiny real call to a model, before accounts are sent to it."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from decimal import Decimal
from typing import Any

from django.utils import timezone

from igny8_core import live_settings
from igny8_core.ai.account_settings import platform_settings, settings_of
from igny8_core.ai.attempts import milliseconds_since
from igny8_core.ai.management import base
from igny8_core.ai.model_registry import ModelRegistry
from igny8_core.ai.providers import network, provider_for
from igny8_core.ai.providers.base import (
    EmbeddingRequest,
    ImageRequest,
    Provider,
    ProviderAnswer,
    TextRequest,
)
from igny8_core.catalogue.errors import UnknownModel
from igny8_core.catalogue.models import CatalogueModel, price_of
from igny8_core.errors import AIError
from igny8_core.modules.accounts.models import Account
from igny8_core.pricing import quotes
from igny8_core.pricing.conditions import STANDARD
from igny8_core.pricing.meters import ModelType
from igny8_core.pricing.money import money_text
from igny8_core.pricing.prices import billable

_PROMPT = "Answer with the word ok."
_MOST_TOKENS = 16


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
        timeout_s = live_settings.load().request_timeout_s
        started_s = time.perf_counter()
        answer = network.wait(_ask(provider, model, timeout_s))
        latency_ms = milliseconds_since(started_s)
        cost, why_not = _cost(model, answer)
        meters = dict(answer.usage.meters or {})
        if options["json"]:
            self.print_json(
                {
                    "model": model.model_id,
                    "model_served": answer.model_served,
                    "latency_ms": latency_ms,
                    "meters": meters,
                    "cost": None if cost is None else money_text(cost),
                    "why_no_cost": why_not,
                    "usage": answer.usage.block,
                }
            )
            return
        used = ", ".join(f"{quantity} {meter}" for meter, quantity in meters.items())
        self.print_rows(
            [
                ("model", f"{model.model_id}, answered as {answer.model_served or 'nobody says'}"),
                ("took", f"{latency_ms:,} ms"),
                ("used", used.replace("_", " ") or answer.usage.note),
                ("cost", f"not known: {why_not}" if cost is None else f"{money_text(cost)} USD"),
            ]
        )


async def _ask(provider: Provider, model: CatalogueModel, timeout_s: float) -> ProviderAnswer[Any]:
    """Raises AIError."""
    match model.model_type:
        case ModelType.IMAGE:
            return await provider.draw(ImageRequest(model.model_id, "A dot.", 1, timeout_s))
        case ModelType.EMBEDDING:
            return await provider.embed(EmbeddingRequest(model.model_id, ("ok",), timeout_s))
    request = TextRequest(
        model.model_id,
        "You are asked whether you are there.",
        _PROMPT,
        json_mode=False,
        timeout_s=timeout_s,
        longest=model.max_tokens,
        max_tokens=min(_MOST_TOKENS, model.max_tokens),
    )
    return await provider.complete(request)


def _cost(model: CatalogueModel, answer: ProviderAnswer[Any]) -> tuple[Decimal | None, str]:
    """What the provider says, else what the price in force makes of it; or why it is not known."""
    usage = answer.usage
    if usage.cost_reported is not None:
        return usage.cost_reported, ""
    if usage.meters is None:
        return None, usage.note
    at = timezone.now()
    price = price_of(model, at)
    try:
        meters = billable(price, usage.meters)
        return quotes.quote(price, meters, at=at, context=answer.context or STANDARD).cost, ""
    except AIError as error:
        return None, str(error)
