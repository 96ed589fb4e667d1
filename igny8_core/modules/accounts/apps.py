"""The app's name for Django."""

from __future__ import annotations

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in


class AccountsConfig(AppConfig):
    name = "igny8_core.modules.accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        from flags import host
        from igny8_core.modules.accounts import guessing
        from igny8_core.modules.accounts.models import Account

        user_logged_in.connect(guessing.logged_in)
        for column in ("plan", "country", "status"):
            rows = Account._base_manager.order_by(column).values_list(column, flat=True).distinct()
            host.register_trait_values(column, rows.all)
