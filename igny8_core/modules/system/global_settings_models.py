"""The platform's rows under the plan's name; each has a file of its own beside this one."""

from __future__ import annotations

from igny8_core.modules.system.ai_models import AIModel
from igny8_core.modules.system.prompts import GlobalAIPrompt
from igny8_core.modules.system.settings import GlobalIntegrationSettings

__all__ = ["AIModel", "GlobalAIPrompt", "GlobalIntegrationSettings"]
