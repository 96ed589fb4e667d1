"""The admin pages of the catalogue, the prices, the providers, the settings and the prompts."""

from igny8_core.modules.system.admin import ai_models, prices, prompts, providers, settings

__all__ = ["ai_models", "prices", "prompts", "providers", "settings"]
