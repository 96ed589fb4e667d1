"""Every row of the app, for Django."""

from __future__ import annotations

from igny8_core.modules.system.ai_models import AIModel
from igny8_core.modules.system.aliases import ModelAlias
from igny8_core.modules.system.declared_tasks import AITask
from igny8_core.modules.system.keys import ProviderKey
from igny8_core.modules.system.prices import ModelPrice
from igny8_core.modules.system.prompts import AIPrompt, GlobalAIPrompt
from igny8_core.modules.system.providers import AIProvider
from igny8_core.modules.system.rate_lines import RateLine
from igny8_core.modules.system.settings import GlobalIntegrationSettings, IntegrationSettings

__all__ = [
    "AIModel",
    "AIPrompt",
    "AIProvider",
    "AITask",
    "GlobalAIPrompt",
    "GlobalIntegrationSettings",
    "IntegrationSettings",
    "ModelAlias",
    "ModelPrice",
    "ProviderKey",
    "RateLine",
]
