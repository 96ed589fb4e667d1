"""The app's name for Django; lets the registry hear of changes to the catalogue."""

from __future__ import annotations

from django.apps import AppConfig


class AIConfig(AppConfig):
    name = "igny8_core.ai"
    label = "ai"
    verbose_name = "AI pipeline"

    def ready(self) -> None:
        from igny8_core.ai import model_registry  # noqa: F401 - connects its receivers
