"""How a row takes what a document says."""

from __future__ import annotations

from typing import Final

from django.core.exceptions import ValidationError
from django.db import models

from flags.document.export import Json
from flags.document.problems import row_problem
from flags.engine import DocumentError


def fit(row: models.Model, *path: str | int) -> None:
    """Raises DocumentError for a text or number that the row's column cannot hold."""
    others = {each.name for each in row._meta.fields if each.is_relation or isinstance(each, _JSON)}
    try:
        row.clean_fields(exclude=others)
    except ValidationError as error:
        raise DocumentError(
            [
                row_problem((*path, name), getattr(row, name), " ".join(messages))
                for name, messages in error.message_dict.items()
            ]
        ) from None


_JSON: Final = models.JSONField


def save_changed(row: models.Model, before: Json) -> None:
    """Save a row that is new, or that differs from its `__dict__` of before."""
    if row._state.adding or row.__dict__ != before:
        row.save()
