"""A column of JSON, kept as the text that was written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models

from flags.engine import DocumentError
from flags.engine.plain import check_plain, load
from flags.engine.problems import Problems

if TYPE_CHECKING:
    _Column = models.TextField[Any, Any]
else:
    _Column = models.TextField


class JsonField(_Column):
    """Any JSON value, null too; as text, because PostgreSQL's jsonb would turn 1e22 into digits.

    A column with null=True keeps None as SQL's NULL. Nothing can be looked up inside it.
    """

    description = "JSON, as text"

    # For the type checker: what may be assigned.
    _pyi_private_set_type: Any

    def from_db_value(self, value: str | None, *_context: object) -> Any:
        return None if value is None else json.loads(value)

    def to_python(self, value: Any) -> Any:
        return value

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None and self.null else json.dumps(value, allow_nan=False)

    def value_to_string(self, obj: models.Model) -> Any:
        """For fixtures, which keep it as it is."""
        return self.value_from_object(obj)

    def formfield(self, **options: Any) -> forms.Field | None:
        own = {
            "form_class": JsonFormField,
            "empty": self.get_default,
            "required": not self.blank,
            "show_hidden_initial": False,  # what is stored says what has changed
        }
        return super().formfield(**{**own, **options})


class JsonFormField(forms.CharField):
    """JSON as an operator types it: a key that is there twice, or NaN, is refused."""

    widget = forms.Textarea

    def __init__(self, *, empty: Any = lambda: None, **options: Any) -> None:
        options.pop("max_length", None)
        super().__init__(**options)
        self._empty = empty

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else to_text(value)

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value) or ""
        return from_text(text) if text.strip() else self._empty()

    def validate(self, value: Any) -> None:
        if self.required and value is None:
            raise ValidationError(self.error_messages["required"], code="required")

    def run_validators(self, value: Any) -> None:
        """A text's validators are not for what it says."""

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(data) != initial)
        except ValidationError:
            return True


def from_text(text: str) -> Any:
    """What the JSON says; raises ValidationError."""
    problems = Problems()
    try:
        value = load(text, problems)
        check_plain(value, problems)
        problems.raise_if_any()
    except DocumentError as error:
        raise ValidationError([each["message"] for each in error.errors]) from None
    return value


def to_text(value: Any) -> str:
    """JSON with an item of the outermost list a line; empty for None."""
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(f"  {_line(item)}" for item in value) + "\n]"
    return "" if value is None else _line(value)


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
