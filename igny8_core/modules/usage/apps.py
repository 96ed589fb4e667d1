"""The app's name for Django."""

from __future__ import annotations

from django.apps import AppConfig


class UsageConfig(AppConfig):
    name = "igny8_core.modules.usage"
    verbose_name = "Usage"
