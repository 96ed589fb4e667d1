"""The app's name for Django."""

from __future__ import annotations

from django.apps import AppConfig


class AIConfig(AppConfig):
    name = "igny8_core.ai"
    label = "ai"
    verbose_name = "AI pipeline"
