"""The ids of models, and what names them, asked before they go or take another."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.dispatch import Signal

from flags.host import check_visible
from igny8_core.modules.system.saved_rows import Row, SavedRowsQuerySet

# Sent before a model is saved whose id may differ from what is stored; a receiver may refuse.
renaming = Signal()
# Sent before a model or a provider is deleted by itself or by its QuerySet; a receiver may refuse.
deleting = Signal()
# Receivers answer a condition for the models that their rows name.
naming = Signal()


def check_model_id(model_id: str) -> None:
    """A validator; raises ValidationError."""
    if any(character.isspace() for character in model_id):
        message = f"“{model_id}” has a blank in it: no provider has such a model."
        raise ValidationError(message)
    check_visible(model_id)


class NamedQuerySet(SavedRowsQuerySet[Row]):
    """Deletes only what nothing names; raises what a receiver of `deleting` does."""

    def delete(self) -> tuple[int, dict[str, int]]:
        with transaction.atomic(using=self.db):
            for row in self:
                deleting.send(sender=self.model, instance=row)
            return super().delete()

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]


def in_use(models: QuerySet[Any]) -> list[str]:
    """The ids of those that receipts or preferences name. One query."""
    answers = [condition for _, condition in naming.send(sender=models.model)]
    named = reduce(or_, answers, Q(pk__in=[]))
    return [*models.filter(named).values_list("model_id", flat=True)]
