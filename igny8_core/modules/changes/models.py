"""A change as a row: written once, and never edited."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils import timezone

from igny8_core.modules.changes.errors import ChangeIsFixed


class Action(models.TextChoices):
    ADDED = "added", "Added"
    CHANGED = "changed", "Changed"
    DELETED = "deleted", "Deleted"
    REFUSED = "refused", "Refused"


class ChangeQuerySet(models.QuerySet["Change"]):
    """Rows are added; they go by `expire()`, or by `erase()` with their account, alone."""

    def update(self, **_values: Any) -> int:
        raise ChangeIsFixed

    def delete(self) -> tuple[int, dict[str, int]]:
        raise ChangeIsFixed

    def bulk_update(self, *_args: Any, **_options: Any) -> int:
        raise ChangeIsFixed

    def bulk_create(self, objs: Any, *args: Any, **options: Any) -> list[Change]:
        if options.get("update_conflicts"):
            raise ChangeIsFixed
        return super().bulk_create(objs, *args, **options)

    update.alters_data = True  # type: ignore[attr-defined]
    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]

    def expire(self, before: datetime, *, most: int) -> int:
        """Delete the first of those that are older; how many."""
        oldest = [*self.filter(at__lt=before).order_by("pk").values_list("pk", flat=True)[:most]]
        return self.filter(pk__in=oldest)._raw_delete(self.db)

    def erase(self, account: str) -> int:
        """Delete all that is about an account that is erased; how many."""
        return self.filter(account=account)._raw_delete(self.db)


class Change(models.Model):
    """Who changed what, from where and why; `before` and `after` have the fields that differ."""

    at = models.DateTimeField(default=timezone.now, editable=False)
    actor = models.CharField(max_length=200, blank=True, help_text="Empty: a program.")
    address = models.CharField(max_length=64, blank=True, help_text="Where the request was from.")
    via = models.CharField(max_length=200, blank=True, help_text="What it was done with.")
    why = models.CharField(max_length=500, blank=True)
    action = models.CharField(max_length=10, choices=Action.choices)
    object_type = models.CharField(max_length=100)
    object_key = models.CharField(max_length=300, blank=True)
    account = models.CharField(max_length=200, blank=True, help_text="The account's key.")
    before = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    after = models.JSONField(default=dict, encoder=DjangoJSONEncoder)

    objects = ChangeQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"
        ordering: ClassVar = ["-pk"]
        indexes: ClassVar = [
            models.Index(fields=["account", "-id"], name="changes_by_account"),
            models.Index(fields=["actor", "-id"], name="changes_by_actor"),
            models.Index(fields=["object_type", "object_key", "-id"], name="changes_by_object"),
            models.Index(fields=["at"], name="changes_by_moment"),
        ]

    def __str__(self) -> str:
        return f"{self.object_type} {self.object_key} {self.action}"

    def save(self, **options: Any) -> None:
        """Raises ChangeIsFixed for one that is stored."""
        if not self._state.adding:
            raise ChangeIsFixed
        super().save(**{**options, "force_insert": True})

    def delete(self, *_args: Any, **_options: Any) -> tuple[int, dict[str, int]]:
        raise ChangeIsFixed
