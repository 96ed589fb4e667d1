"""The app's name for Django."""

from __future__ import annotations

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "igny8_core.modules.accounts"
    verbose_name = "Accounts"
