"""An operator's answer for one account on one flag."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.utils import timezone

from flags.conf import account_model_name
from flags.models.published import FactsQuerySet


class OverrideQuerySet(FactsQuerySet):
    ACCOUNT = "account__key"

    def in_force(self, at: datetime) -> OverrideQuerySet:
        return self.filter(
            models.Q(expires_at=None) | models.Q(expires_at__gt=at),
            paused=False,
        )


class AccountOverride(models.Model):
    """An operator's answer for one account on one flag."""

    account = models.ForeignKey(
        account_model_name(), on_delete=models.CASCADE, related_name="flag_overrides"
    )
    flag = models.ForeignKey("flags.Flag", on_delete=models.CASCADE, related_name="overrides")
    variant = models.CharField(max_length=200, help_text="The flag's variant that it gets.")
    reason = models.CharField(max_length=500, help_text="Why, for those who ask later.")
    author = models.CharField(max_length=200, blank=True, editable=False)
    expires_at = models.DateTimeField(
        null=True, blank=True, help_text="It stops at this second; empty: it stays."
    )
    paused = models.BooleanField(default=False, help_text="Kept, and not in force.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = OverrideQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at", "-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account", "flag"],
                condition=models.Q(paused=False),
                name="one_live_override_per_account_and_flag",
                violation_error_message="This account has a live override of this flag already.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account}: {self.flag} is {self.variant}"

    @property
    def state(self) -> str:
        """`live`, `paused` or `expired`."""
        if self.paused:
            return "paused"
        is_over = self.expires_at is not None and self.expires_at <= timezone.now()
        return "expired" if is_over else "live"

    def clean(self) -> None:
        super().clean()
        if self._state.adding and self.expires_at is not None and self.expires_at <= timezone.now():
            raise ValidationError({"expires_at": "That is over already."})
        if self.flag_id is not None:
            self._check_variant()

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """One that has expired does not stand in the way: `save()` puts it aside first."""
        if self._expired().exists():
            exclude = {*(exclude or ()), "paused"}
        super().validate_constraints(exclude)

    def save(self, *args: Any, **options: Any) -> None:
        """Raises ValidationError for a variant that the flag does not have."""
        self._check_variant()
        with transaction.atomic():
            self._expired().update(paused=True)
            super().save(*args, **options)

    def _check_variant(self) -> None:
        known = self.flag.values()
        if self.variant not in known:
            names = ", ".join(f"“{key}”" for key in known) or "none"
            message = f"The flag “{self.flag}” has no variant “{self.variant}”; it has {names}."
            raise ValidationError({"variant": message})

    def _expired(self) -> OverrideQuerySet:
        """Another of this account and flag that is over, and not put aside yet."""
        found = AccountOverride.objects.filter(account=self.account_id, flag=self.flag_id)
        return found.filter(paused=False, expires_at__lte=timezone.now()).exclude(pk=self.pk)
