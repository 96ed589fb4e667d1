"""The admin pages of the catalogue, the prices, the settings and the prompts."""

from igny8_core.modules.system.admin import ai_models, prices, prompts, settings

__all__ = ["ai_models", "prices", "prompts", "settings"]
