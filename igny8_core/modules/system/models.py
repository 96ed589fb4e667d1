"""The system app's models, found here by Django."""

from __future__ import annotations

from igny8_core.modules.system.global_settings_models import AIModel

__all__ = ["AIModel"]
