"""Base classes of rows: a change of theirs is published, or is told to whoever keeps facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar, Final

from django.db import models, transaction

from flags.models.pending import accounts_changed, mark_changed, rows_changing
from flags.models.primary import PrimaryQuerySet


class PublishedQuerySet(PrimaryQuerySet[Any]):
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


def _in_one_change() -> AbstractContextManager[Any]:
    return transaction.atomic()


# The block in which a row is saved by itself: what does not check is rolled back and raised.
in_one_change: Callable[[], AbstractContextManager[Any]] = _in_one_change


class Published(models.Model):
    """A row of what is published: the head row changes in the same transaction."""

    # The column by which facts about accounts refer to it.
    NAME: ClassVar[str | None] = None

    class Meta:
        abstract = True

    def save(self, *args: Any, **options: Any) -> None:
        """Raises DocumentError for one that does not check, where it is not in a transaction."""
        written = options.get("update_fields")
        using = options.get("using")
        is_alone = not transaction.get_connection(using).in_atomic_block
        with in_one_change() if is_alone else transaction.atomic(using=using, savepoint=False):
            mark_changed()
            if self.NAME and not self._state.adding and (written is None or self.NAME in written):
                same = {"pk": self.pk, self.NAME: getattr(self, self.NAME)}
                if not PrimaryQuerySet(type(self)).filter(**same).exists():
                    accounts_changed.send(sender=type(self), keys=None)
            super().save(*args, **options)


# Of more accounts at once all are forgotten.
_TOLD: Final = 100


class ToldQuerySet(PrimaryQuerySet[Any]):
    """Rows that are written without a signal each are told of."""

    def update(self, **values: Any) -> int:
        with self._told(rows=self, values=values):
            return super().update(**values)

    update.alters_data = True  # type: ignore[attr-defined]

    def bulk_create(self, objs: Iterable[Any], *args: Any, **options: Any) -> list[Any]:
        rows = [*objs]
        may_exist = any(options.get(name) for name in ("ignore_conflicts", "update_conflicts"))
        with self._told(rows=None, values={}, objs=rows, may_exist=may_exist):
            return super().bulk_create(rows, *args, **options)

    @contextmanager
    def _told(self, **what: Any) -> Iterator[None]:
        with transaction.atomic(using=self.db):
            heard: list[tuple[Any, Any]] = rows_changing.send(sender=self.model, **what)
            yield
            for _, written in heard:
                written()


class FactsQuerySet(ToldQuerySet):
    """Of rows that say something about accounts: changes that send no signal tell of them."""

    # Where the account's key is: a field's name, or an expression.
    ACCOUNT: ClassVar[Any] = "key"

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
