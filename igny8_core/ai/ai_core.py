"""The main job: pick the model, run the AI request, price it, keep a receipt."""

from __future__ import annotations

import time
from collections.abc import Mapping
from uuid import uuid4

from django.conf import settings

from igny8_core import live_settings
from igny8_core.ai import ledger, pricing
from igny8_core.ai.exceptions import AccountNotActive, EmptyPrompt, ProviderError, WrongTaskType
from igny8_core.ai.model_registry import ModelRegistry
from igny8_core.ai.pricing import Price
from igny8_core.ai.providers import provider_for
from igny8_core.ai.providers.base import Connection, Provider
from igny8_core.ai.resolver import resolve
from igny8_core.ai.tasks import get_task
from igny8_core.ai.values import (
    Answer,
    CatalogueModel,
    Meter,
    ModelType,
    Needs,
    Resolution,
    TextAnswer,
    TextRequest,
)
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.usage.models import Receipt


class AICore:
    """Runs AI requests for one account.

    `connections` says how each provider is reached, by its name; where it is not given, the
    settings' AI_CONNECTIONS do.
    """

    def __init__(
        self,
        account: Account,
        *,
        connections: Mapping[str, Connection] | None = None,
    ) -> None:
        self.account = account
        self._connections = configured_connections() if connections is None else connections

    def run_ai_request(
        self,
        task: str,
        prompt: str,
        *,
        model: str | None = None,
        needs: Needs | None = None,
    ) -> Answer:
        """Answer the prompt with the model that the account gets for the task.

        Raises an AIError. Where a provider was called and failed, it is a ProviderError, and the
        receipt has its code and no cost.
        """
        job = get_task(task)
        if job.model_type != ModelType.TEXT:
            raise WrongTaskType(task, job.model_type, ModelType.TEXT)
        if not prompt.strip():
            raise EmptyPrompt
        if self.account.status != Account.Status.ACTIVE:
            raise AccountNotActive(self.account.key, self.account.status)
        resolution = resolve(self.account, task, needs=needs, model=model)
        live = live_settings.load()
        provider = provider_for(
            resolution.model.provider,
            self._connections,
            offline_answers=live.offline_answers,
        )
        request = TextRequest(
            model_id=resolution.model.model_id,
            instruction=job.prompt,
            prompt=prompt,
            json_mode=job.needs.union(needs or Needs()).json_mode,
            timeout_s=live.request_timeout_s,
        )
        return self._run(provider, request, resolution)

    def _run(self, provider: Provider, request: TextRequest, resolution: Resolution) -> Answer:
        """Call the provider once, price what it took, and record the receipt either way."""
        receipt = Receipt(
            request_id=uuid4(),
            account=self.account,
            task=resolution.task,
            model_asked=request.model_id,
            provider=provider.name,
            reason=resolution.reason,
            status=Receipt.INTERRUPTED,
        )
        started = time.perf_counter()
        try:
            answer = provider.complete(request)
        except ProviderError as error:
            receipt.status = error.code
            raise
        else:
            _fill_in(receipt, answer, resolution.model)
        finally:
            receipt.latency_ms = round((time.perf_counter() - started) * 1000)
            ledger.record(receipt)
        return Answer(
            request_id=receipt.request_id,
            text=answer.text,
            finish_reason=answer.finish_reason,
            resolution=resolution,
            provider=receipt.provider,
            model_served=answer.model_served,
            usage=answer.usage,
            cost=receipt.cost,
        )


def configured_connections() -> dict[str, Connection]:
    """The settings' AI_CONNECTIONS as values."""
    return {name: Connection(**parts) for name, parts in settings.AI_CONNECTIONS.items()}


def _fill_in(receipt: Receipt, answer: TextAnswer, asked: CatalogueModel) -> None:
    receipt.model_served = answer.model_served
    if answer.usage is None:
        receipt.status = Receipt.UNMETERED
        return
    receipt.status = Receipt.OK
    receipt.input_tokens, receipt.output_tokens = answer.usage
    meters = {
        Meter.INPUT_TOKENS: answer.usage.input_tokens,
        Meter.OUTPUT_TOKENS: answer.usage.output_tokens,
    }
    receipt.cost = pricing.quote(_price_of(answer.model_served, asked), meters).cost


def _price_of(served: str, asked: CatalogueModel) -> Price:
    """The price of the model that answered; the asked one's where the catalogue has no other."""
    model = ModelRegistry.catalogue().models.get(served, asked)
    price = pricing.price_of(model)
    return price if price.is_complete else pricing.price_of(asked)
