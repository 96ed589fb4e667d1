"""The lines of a price as rows: an amount per so many of a meter, where a condition holds."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.core.exceptions import ValidationError
from django.db import models

from flags.host import Published
from igny8_core.errors import AIError
from igny8_core.modules.system.money import UsdField
from igny8_core.modules.system.saved_rows import SavedRowsQuerySet
from igny8_core.pricing import prices
from igny8_core.pricing.conditions import parse_condition
from igny8_core.pricing.errors import InvalidAmount, InvalidCondition, UnknownMeter
from igny8_core.pricing.meters import Meter, meter_named
from igny8_core.pricing.prices import PER_MILLION
from igny8_core.pricing.words import rate_text

_FIELDS: Final[dict[type[AIError], str]] = {UnknownMeter: "meter", InvalidCondition: "condition"}


class RateLine(Published):
    """An amount per so many of a meter, where the condition holds."""

    price = models.ForeignKey("system.ModelPrice", on_delete=models.CASCADE, related_name="lines")
    meter = models.CharField(max_length=40, choices=[(each.value, each.value) for each in Meter])
    amount = UsdField(help_text="USD.")
    per = models.PositiveIntegerField(
        default=PER_MILLION, help_text="For how many of the meter the amount is."
    )
    condition = models.JSONField(
        default=dict,
        blank=True,
        help_text=(
            'Empty: always. Else e.g. {"context": "> 200000", "processing": "batch", "size": '
            '"1024x1024", "quality": "hd", "region": "eu", "hours": "22:00-06:00", "weekdays": '
            '["sat"]}. The most specific line wins.'
        ),
    )

    objects = SavedRowsQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return self.words()

    def words(self) -> str:
        """As a person reads it, also where it is no line."""
        try:
            return rate_text(self.value())
        except AIError as error:
            return f"unreadable: {error}"

    def value(self) -> prices.RateLine:
        """Raises UnknownMeter, InvalidAmount, InvalidCondition."""
        condition = parse_condition(self.condition or {})
        amount = UsdField().to_python(self.amount)
        if amount is None:
            raise InvalidAmount(self.meter, self.amount, self.per)
        return prices.RateLine(meter_named(self.meter), amount, self.per, condition, self.condition)

    def clean(self) -> None:
        super().clean()
        if self.condition is None:
            self.condition = {}
        if not self.meter or self.amount is None or self.per is None:
            return  # their fields say so
        try:
            self.check_rate()
        except AIError as error:
            field = _FIELDS.get(type(error), "amount")
            raise ValidationError({field: ValidationError(str(error), code=error.code)}) from None

    def check_rate(self) -> int:
        """Pico-dollars for one; raises InvalidAmount, InvalidCondition."""
        return self.value().pico

    def save(self, **options: Any) -> None:
        """Raises InvalidAmount, InvalidCondition, and PriceHasBegun."""
        self.check_rate()
        if not self.price.is_new:
            self.price.refuse_if_begun()
        super().save(**options)
