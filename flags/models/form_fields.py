"""Form fields that take what people write, and refuse what Python or JSON alone would read.

Numbers like `1_0` or in other scripts' digits; JSON that no database keeps.
"""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput

from flags.models.fields import from_text

_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+[.]?[0-9]*|[.][0-9]+)(?:[eE][+-]?[0-9]+)?\s*")


def is_number(text: str) -> bool:
    """Whether it is a number as people write it."""
    return bool(_NUMBER.fullmatch(text))


def check_number(field: forms.Field, value: Any) -> None:
    """Raises the field's own ValidationError for a text that is no plain number."""
    if isinstance(value, str) and value.strip() and not is_number(value):
        raise ValidationError(field.error_messages["invalid"], code="invalid")


class PlainDecimalField(forms.DecimalField):
    def to_python(self, value: Any) -> Any:
        check_number(self, value)
        return super().to_python(value)


class PlainIntegerField(forms.IntegerField):
    def to_python(self, value: Any) -> Any:
        check_number(self, value)
        return super().to_python(value)


class PlainFloatField(forms.FloatField):
    def to_python(self, value: Any) -> Any:
        check_number(self, value)
        return super().to_python(value)


class PlainJSONField(forms.JSONField):
    """Refuses NaN, NUL, halves of surrogate pairs, and what is too deep or too great."""

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and value.strip():
            from_text(value)
        try:
            return super().to_python(value)
        except (ValueError, RecursionError):
            raise ValidationError(self.error_messages["invalid"], code="invalid") from None

    def bound_data(self, data: Any, initial: Any) -> Any:
        """What a page shows again: as it was typed, where it is no JSON that is kept."""
        try:
            if isinstance(data, str) and data.strip():
                from_text(data)
            return super().bound_data(data, initial)
        except (ValueError, RecursionError, ValidationError):
            return InvalidJSONInput(data)
