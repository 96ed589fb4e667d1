"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    name = "igny8_core.console"
    verbose_name = "Console"

    def ready(self) -> None:
        from flags import host
        from igny8_core.console import guard, moves, probing
        from igny8_core.console.question import question
        from igny8_core.modules.system.admin.one_click import OneClick

        host.register_guard("models", host.Guard(question, guard.taken, moves.moved))
        OneClick.further_actions.append(probing.try_models)
