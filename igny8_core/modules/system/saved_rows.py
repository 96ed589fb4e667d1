"""A QuerySet that writes many rows as one would write each: through `save()`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, TypeVar

from django.db import models, transaction

from flags.host import PrimaryQuerySet, Published, mark_changed

Row = TypeVar("Row", bound=models.Model)


class SavedRowsQuerySet(PrimaryQuerySet[Row]):
    """Writes many rows as one would write each: through `save()`, in one transaction.

    These tables are short; what `save()` keeps true (one default, bounds, an announcement) is
    worth a query a row.
    """

    def update(self, **values: Any) -> int:
        with transaction.atomic(using=self.db):
            if issubclass(self.model, Published):
                mark_changed()
            chosen = self.model._base_manager.using(self.db).filter(
                pk__in=list(self.values_list("pk", flat=True))
            )
            rows: list[Row] = list(chosen.select_for_update())
            for row in rows:
                for name, value in values.items():
                    setattr(row, name, value)
            return self.bulk_update(rows, values)

    update.alters_data = True  # type: ignore[attr-defined]

    def bulk_create(  # noqa: PLR0913 - the signature is Django's
        self,
        objs: Iterable[Row],
        batch_size: int | None = None,  # noqa: ARG002 - as above
        ignore_conflicts: bool = False,  # noqa: FBT001, FBT002 - as above
        update_conflicts: bool = False,  # noqa: FBT001, FBT002 - as above
        update_fields: Collection[str] | None = None,  # noqa: ARG002 - as above
        unique_fields: Collection[str] | None = None,  # noqa: ARG002 - as above
    ) -> list[Row]:
        if ignore_conflicts or update_conflicts:
            message = "bulk_create() that ignores or updates conflicts would bypass save()."
            raise ValueError(message)
        rows = list(objs)
        with transaction.atomic(using=self.db):
            for row in rows:
                row.save(using=self.db, force_insert=True)
        return rows

    def bulk_update(
        self,
        objs: Iterable[Row],
        fields: Iterable[str],
        batch_size: int | None = None,  # noqa: ARG002 - the signature is Django's
    ) -> int:
        rows = list(objs)
        touched = [
            field.name
            for field in self.model._meta.concrete_fields
            if getattr(field, "auto_now", False)
        ]
        with transaction.atomic(using=self.db):
            for row in rows:
                row.save(using=self.db, update_fields=[*fields, *touched])
        return len(rows)
