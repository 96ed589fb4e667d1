"""The app's name for Django, its defaults, signals and checks."""

from __future__ import annotations

from django.apps import AppConfig

from flags import conf

conf.set_defaults()


class FlagsConfig(AppConfig):
    name = "flags"
    verbose_name = "Flags"

    def ready(self) -> None:
        from django.core.checks import register

        from flags import checks, signals, waffle

        waffle.connect()
        signals.connect()
        register(checks.check_settings)
