"""Flags by their names: one that is not there, and those whose names the host asks."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError

from flags.models.primary import PrimaryQuerySet
from flags.models.published import Published, PublishedQuerySet
from flags.registry import kept_flags


class UnknownFlag(LookupError):
    def __init__(self, name: str) -> None:
        super().__init__(f"There is no flag “{name}”. `manage.py flag list` lists them.")


class KeptFlag(ValueError):
    """A flag that the host asks by its name."""

    code = "kept_flag"

    def __init__(self, name: str, change: str) -> None:
        why = kept_flags()[name]
        super().__init__(f"The flag {name} cannot be {change}: {why}. Turn it off instead.")


class FlagQuerySet(PublishedQuerySet):
    """Flags whose names the host asks are neither renamed nor deleted; raises KeptFlag."""

    def update(self, **values: Any) -> int:
        if "name" in values:
            self.refuse_kept("renamed")
        return super().update(**values)

    update.alters_data = True  # type: ignore[attr-defined]

    def delete(self) -> tuple[int, dict[str, int]]:
        self.refuse_kept("deleted")
        return super().delete()

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]

    def refuse_kept(self, change: str) -> None:
        """Raises KeptFlag for the first of these flags that is kept."""
        kept = self.filter(name__in=kept_flags()).order_by("name")
        for name in kept.values_list("name", flat=True)[:1]:
            raise KeptFlag(name, change)


class KeepsItsName(Published):
    """A flag; what the host asks by its name is neither renamed nor deleted."""

    name: Any

    class Meta(Published.Meta):
        abstract = True

    def clean(self) -> None:
        super().clean()
        try:
            self._refuse_if_renamed()
        except KeptFlag as error:
            raise ValidationError({"name": str(error)}) from None

    def save(self, *args: Any, **options: Any) -> None:
        """Raises KeptFlag."""
        written = options.get("update_fields")
        if written is None or "name" in written:
            self._refuse_if_renamed()
        super().save(*args, **options)

    def delete(self, *args: Any, **options: Any) -> tuple[int, dict[str, int]]:
        """Raises KeptFlag."""
        if self.name in kept_flags():
            raise KeptFlag(self.name, "deleted")
        return super().delete(*args, **options)

    def _refuse_if_renamed(self) -> None:
        if self._state.adding:
            return
        rows: PrimaryQuerySet[Any] = PrimaryQuerySet(type(self)).filter(pk=self.pk)
        for stored in rows.exclude(name=self.name):
            if stored.name in kept_flags():
                raise KeptFlag(stored.name, "renamed")
