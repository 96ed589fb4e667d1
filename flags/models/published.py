"""Base classes of rows: a change of theirs is published, or is told to whoever keeps facts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Final

from django.db import models, transaction

from flags.models.pending import accounts_changed, mark_changed


class PublishedQuerySet(models.QuerySet[Any]):
    """Changes that send no signal say themselves that what is published has changed."""

    def update(self, **values: Any) -> int:
        with transaction.atomic(using=self.db):
            mark_changed()
            if self.model.NAME in values:
                accounts_changed.send(sender=self.model, keys=None)
            return super().update(**values)

    update.alters_data = True  # type: ignore[attr-defined]

    def bulk_create(self, objs: Iterable[Any], *args: Any, **options: Any) -> list[Any]:
        with transaction.atomic(using=self.db):
            mark_changed()
            return super().bulk_create(objs, *args, **options)


class Published(models.Model):
    """A row of what is published: the head row changes in the same transaction."""

    # The column by which facts about accounts refer to it.
    NAME: ClassVar[str | None] = None

    class Meta:
        abstract = True

    def save(self, *args: Any, **options: Any) -> None:
        written = options.get("update_fields")
        with transaction.atomic(using=options.get("using"), savepoint=False):
            mark_changed()
            if self.NAME and not self._state.adding and (written is None or self.NAME in written):
                same = {"pk": self.pk, self.NAME: getattr(self, self.NAME)}
                if not type(self)._base_manager.filter(**same).exists():
                    accounts_changed.send(sender=type(self), keys=None)
            super().save(*args, **options)


# Of more accounts at once all are forgotten.
_TOLD: Final = 100


class FactsQuerySet(models.QuerySet[Any]):
    """Of rows that say something about accounts: changes that send no signal tell of them."""

    # Where the account's key is.
    ACCOUNT: ClassVar = "key"

    def update(self, **values: Any) -> int:
        with transaction.atomic(using=self.db):
            keys = [*self.order_by().values_list(self.ACCOUNT, flat=True)[: _TOLD + 1]]
            if keys:
                accounts_changed.send(sender=self.model, keys=keys if len(keys) <= _TOLD else None)
            return super().update(**values)

    update.alters_data = True  # type: ignore[attr-defined]

    def bulk_create(self, *args: Any, **options: Any) -> list[Any]:
        with transaction.atomic(using=self.db):
            accounts_changed.send(sender=self.model, keys=None)
            return super().bulk_create(*args, **options)
