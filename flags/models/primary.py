"""Reads from the database that is written to: a replica may lag behind what was published."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from django.db import models, router
from waffle.utils import get_setting

Row = TypeVar("Row", bound=models.Model)


class PrimaryQuerySet(models.QuerySet[Row]):
    """Reads where the rows are written, whatever DATABASE_ROUTERS says of reading."""

    # Django's own, which its stubs leave out.
    _db: str | None
    _hints: dict[str, Any]

    @property
    def db(self) -> str:
        return self._db or router.db_for_write(self.model, **self._hints)


class OnPrimary(models.Model):
    """A row that is read from the database that is written to."""

    objects: ClassVar[Any] = PrimaryQuerySet.as_manager()

    class Meta:
        abstract = True


def followed(model: type[models.Model]) -> str:
    """The database in which a process looks for new revisions.

    The router's choice for reading, or with WAFFLE_READ_FROM_WRITE_DB its choice for writing.
    """
    from_primary = get_setting("READ_FROM_WRITE_DB")
    return router.db_for_write(model) if from_primary else router.db_for_read(model)
