"""Tells every process that facts about an account have changed."""

from __future__ import annotations

from django.db import models

from flags.models.primary import OnPrimary


class AccountChange(OnPrimary):
    """Facts about an account have changed; every process reads them again."""

    key = models.CharField(max_length=200, blank=True, help_text="The account's; empty: all.")

    def __str__(self) -> str:
        return self.key
