"""Numbers and JSON on admin pages as people write them."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.db import models

from flags.models.form_fields import (
    PlainDecimalField,
    PlainFloatField,
    PlainIntegerField,
    PlainJSONField,
)

_PLAIN: Final[dict[type[models.Field[Any, Any]], type[forms.Field]]] = {
    models.DecimalField: PlainDecimalField,
    models.FloatField: PlainFloatField,
    models.IntegerField: PlainIntegerField,
    models.JSONField: PlainJSONField,
}


class PlainValues:
    """For admin pages and their inlines."""

    def formfield_for_dbfield(self, db_field: Any, request: Any, **options: Any) -> Any:
        plain = None if db_field.choices else _plain(type(db_field))
        own = {"form_class": plain} if plain else {}
        return super().formfield_for_dbfield(db_field, request, **own, **options)  # type: ignore[misc]


def _plain(column: type[models.Field[Any, Any]]) -> type[forms.Field] | None:
    """None for a column that makes a form's field of its own."""
    kind = next((each for each in column.__mro__ if each in _PLAIN), None)
    return _PLAIN[kind] if kind and column.formfield is kind.formfield else None
