"""Numbers in a body as people write them: Python also reads `1_0` and digits of other scripts."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from django.db import models
from rest_framework.serializers import DecimalField, IntegerField, ModelSerializer

from flags.host import is_number

Row = TypeVar("Row", bound=models.Model)


class _Plain:
    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, str) and not is_number(data):
            self.fail("invalid")  # type: ignore[attr-defined]
        return super().to_internal_value(data)  # type: ignore[misc]


class PlainDecimal(_Plain, DecimalField):
    pass


class PlainInteger(_Plain, IntegerField):
    pass


class PlainSerializer(ModelSerializer[Row]):
    """For a model with columns of decimal and whole numbers."""

    serializer_field_mapping: ClassVar[Any] = {
        kind: {DecimalField: PlainDecimal, IntegerField: PlainInteger}.get(field, field)
        for kind, field in ModelSerializer.serializer_field_mapping.items()
    }
