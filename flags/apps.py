"""The app's name for Django, and its signals."""

from __future__ import annotations

from django.apps import AppConfig


class FlagsConfig(AppConfig):
    name = "flags"
    verbose_name = "Flags"

    def ready(self) -> None:
        from django.core.checks import register

        from flags import checks, signals, waffle

        waffle.connect()
        signals.connect()
        register(checks.check_settings)
