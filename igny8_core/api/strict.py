"""What every endpoint refuses before it looks: odd encodings, endless nesting, unknown orders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

from django.db.models import Model, QuerySet
from rest_framework.exceptions import (
    ErrorDetail,
    ParseError,
    ValidationError,
)
from rest_framework.filters import OrderingFilter
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.views import APIView

from igny8_core.plain_text import fault_of


class StrictJSONParser(JSONParser):
    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Any = None,
    ) -> Any:
        try:
            body = super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError("The body is nested too deeply.") from None
        faults = dict(_faults(body, ""))
        if faults:
            raise ValidationError(faults)
        return body


def _faults(value: Any, path: str) -> Iterator[tuple[str, list[ErrorDetail]]]:
    """Texts that no database keeps, by where they are."""
    match value:
        case str():
            fault = fault_of(value)
            if fault:
                yield path, [ErrorDetail(f"This {fault}.", code="unstorable_text")]
        case dict():
            for name, part in value.items():
                inner = f"{path}.{name}" if path else name or '""'
                yield from _faults(name, inner)
                yield from _faults(part, inner)
        case list():
            for number, part in enumerate(value):
                yield from _faults(part, f"{path}.{number}" if path else str(number))


class StrictView(APIView):
    """JSON, nothing else."""

    parser_classes = (StrictJSONParser,)


class StrictOrdering(OrderingFilter):
    def remove_invalid_fields(
        self, queryset: QuerySet[Model], fields: Any, view: APIView, request: Request
    ) -> list[str]:
        asked = list(fields)
        valid: list[str] = super().remove_invalid_fields(queryset, asked, view, request)
        for name in asked:
            if name not in valid:
                raise ValidationError({self.ordering_param: f"“{name}” is no field to sort by."})
        return valid
