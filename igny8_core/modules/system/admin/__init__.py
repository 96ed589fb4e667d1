"""The admin pages: the catalogue, prices, providers, settings, prompts and tasks."""

from igny8_core.modules.system.admin import ai_models, prices, prompts, providers, settings, tasks

__all__ = ["ai_models", "prices", "prompts", "providers", "settings", "tasks"]
