"""The models' list offers to test those that are selected: one tiny real call to each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from igny8_core.ai.account_settings import platform_settings
from igny8_core.ai.model_registry import ModelRegistry
from igny8_core.ai.providers import network, provider_for
from igny8_core.ai.providers.base import Provider
from igny8_core.ai.providers.probe import Probe, probe
from igny8_core.catalogue.models import CatalogueModel
from igny8_core.errors import AIError
from igny8_core.modules.system.models import AIModel

_MOST: Final = 10
# Somebody waits for the page.
_PATIENCE_S: Final = 20.0


@admin.action(description="Test with one tiny real call", permissions=["change"])
def try_models(_admin: Any, request: HttpRequest, chosen: QuerySet[AIModel]) -> None:
    """By the platform's keys; no account is charged, and there is no receipt."""
    rows = [*chosen[: _MOST + 1]]
    if len(rows) > _MOST:
        messages.error(request, f"At most {_MOST} models are tested at once.")
        return
    catalogue, settings = ModelRegistry.catalogue(), platform_settings()
    calls: list[tuple[Provider, CatalogueModel]] = []
    for row in rows:
        model = catalogue.models.get(row.model_id)
        if model is None:
            messages.error(request, f"{row.model_id} is not published yet.")
            continue
        asked = catalogue.providers[model.provider]
        try:
            connection = settings.connection(asked)
            calls.append((provider_for(asked, connection, offline_answers=False), model))
        except AIError as error:
            messages.error(request, f"{row.model_id}: {error}")
    timeout_s = min(settings.live.request_timeout_s, _PATIENCE_S)
    for (_, model), found in zip(calls, network.wait(_probed(calls, timeout_s)), strict=True):
        _tell(request, model, found)


async def _probed(
    calls: Iterable[tuple[Provider, CatalogueModel]], timeout_s: float
) -> list[Probe | BaseException]:
    now = timezone.now()
    probes = (probe(provider, model, now, timeout_s) for provider, model in calls)
    return await asyncio.gather(*probes, return_exceptions=True)


def _tell(request: HttpRequest, model: CatalogueModel, found: Probe | BaseException) -> None:
    if isinstance(found, Probe):
        served = f"as {found.model_served} " if found.model_served else ""
        messages.success(
            request,
            f"{model.model_id} answered {served}in {found.latency_ms:,} ms: {found.used}; "
            f"cost {found.cost_text}.",
        )
    elif isinstance(found, AIError):
        messages.error(request, f"{model.model_id}: {found}")
    else:
        raise found
