"""Numbers in forms as people write them: Python's `1_0` and other scripts' digits are refused."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+[.]?[0-9]*|[.][0-9]+)(?:[eE][+-]?[0-9]+)?\s*")


def check_number(field: forms.Field, value: Any) -> None:
    """Raises the field's own ValidationError for a text that is no plain number."""
    if isinstance(value, str) and value.strip() and not _NUMBER.fullmatch(value):
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
