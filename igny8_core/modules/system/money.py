"""Money in a column, exact on every database."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models

from flags.models.form_fields import PlainDecimalField
from igny8_core.pricing.money import DECIMALS, EXACT

_LIMIT = 2**63
_MOST = EXACT.scaleb(Decimal(_LIMIT - 1), -DECIMALS)


if TYPE_CHECKING:
    _Pico = models.BigIntegerField[Decimal | None, Decimal | None]
else:
    _Pico = models.BigIntegerField


class UsdField(_Pico):
    """USD as a Decimal of at most 12 decimals, up to 9.2 million.

    Kept as whole pico-dollars, because SQLite holds a decimal of more than 15 digits as a float.
    """

    description = "USD, exact to 12 decimals"

    # For the type checker: what may be assigned.
    _pyi_private_set_type: Any

    def formfield(self, **options: Any) -> forms.Field | None:
        own: dict[str, Any] = {"form_class": PlainDecimalField, "decimal_places": DECIMALS}
        options |= {"min_value": -_MOST, "max_value": _MOST}
        return models.Field.formfield(self, **{**own, **options})

    def from_db_value(self, value: int | None, *_context: object) -> Decimal | None:
        return None if value is None else EXACT.scaleb(Decimal(value), -DECIMALS)

    def to_python(self, value: Any) -> Decimal | None:
        if value is None:
            return None
        try:
            amount = EXACT.create_decimal(str(value))
        except ArithmeticError:
            amount = Decimal("NaN")
        if not amount.is_finite():
            message = f"{value!r} is not an amount."
            raise ValidationError(message, code="invalid")
        if not -_MOST <= amount <= _MOST:
            message = f"{value} is over 9.2 million USD."
            raise ValidationError(message, code="too_large")
        return amount

    def get_prep_value(self, value: Any) -> int | None:
        amount = self.to_python(value)
        if amount is None:
            return None
        pico = EXACT.scaleb(amount, DECIMALS)
        if pico != pico.to_integral_value():
            message = f"{value} has more than {DECIMALS} decimals."
            raise ValidationError(message, code="too_precise")
        return int(pico)

    def value_to_string(self, obj: models.Model) -> str:
        amount = self.value_from_object(obj)
        return "" if amount is None else str(amount)
