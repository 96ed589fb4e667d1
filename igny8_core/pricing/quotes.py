"""What given meters cost, line by line, and what the account pays: exact."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from igny8_core.pricing.conditions import STANDARD, PriceContext
from igny8_core.pricing.errors import (
    InvalidMarkup,
    InvalidMoment,
    MeterNotPriced,
    ProcessingNotPriced,
)
from igny8_core.pricing.meters import (
    CHARGED_AS_PARENT,
    MAX_QUANTITY,
    PARENTS,
    Meter,
    Meters,
    exclusive,
    quantity_of,
)
from igny8_core.pricing.money import EXACT, PICO, money_text
from igny8_core.pricing.prices import Price, RateLine

MIN_MARKUP, MAX_MARKUP = -100, 10_000
_NO_MARKUP: Final = Decimal(0)
# What a NamedTuple's own constructor does, in half the time.
_new: Final = tuple.__new__


class QuoteLine(NamedTuple):
    """A quantity of a meter at a rate; `pico` is the amount in pico-dollars."""

    line: RateLine
    quantity: int
    pico: int
    meter: Meter

    @property
    def rate(self) -> Decimal:
        return self.line.amount

    @property
    def per(self) -> int:
        return self.line.per

    @property
    def amount(self) -> Decimal:
        return EXACT.multiply(self.pico, PICO)

    def to_json(self) -> dict[str, Any]:
        """The line as JSON: money as text."""
        told: dict[str, Any] = {
            "meter": self.meter.value,
            "quantity": self.quantity,
            "rate": money_text(self.rate),
            "per": self.per,
            "amount": money_text(self.amount),
        }
        if self.line.meter != self.meter:
            told["charged_as"] = self.line.meter.value
        if self.line.written:
            told["condition"] = self.line.written
        return told


class Quote(NamedTuple):
    """What given meters cost. `cost` is the sum of the lines, `charge` what the account pays.

    Both are exact; a charge may have more than twelve decimals.
    """

    price: Price
    lines: tuple[QuoteLine, ...]
    pico: int
    markup_percent: Decimal

    @property
    def model_id(self) -> str:
        return self.price.model_id

    @property
    def currency(self) -> str:
        return self.price.currency

    @property
    def cost(self) -> Decimal:
        return EXACT.multiply(self.pico, PICO)

    @property
    def charge(self) -> Decimal:
        return charge_of(self.cost, self.markup_percent)


def charge_of(cost: Decimal, markup_percent: Decimal) -> Decimal:
    """What an account pays for it, exactly."""
    return EXACT.scaleb(EXACT.multiply(cost, EXACT.add(Decimal(100), markup_percent)), -2)


def quote(
    price: Price,
    meters: Meters,
    *,
    at: datetime,
    context: PriceContext = STANDARD,
    markup_percent: float | Decimal | None = None,
) -> Quote:
    """Price the meters exactly; a child that has no rate is charged as its parent where it may be.

    `at` is the call's moment, for rates that depend on the hour. Raises UnknownMeter,
    InvalidQuantity, ImpossibleMeters, InvalidMoment, InvalidMarkup, ProcessingNotPriced, and
    MeterNotPriced where a meter that was used has no line. Zero of a meter needs none.
    """
    if at.tzinfo is None:
        raise InvalidMoment(at)
    markup = _NO_MARKUP if markup_percent is None else _markup(markup_percent)
    if context is not STANDARD and context.processing not in price.processings:
        raise ProcessingNotPriced(price.model_id, context.processing)
    rated = price.plain
    left: Any = meters
    for meter, quantity in meters.items():
        if meter not in rated or type(quantity) is not int or not 0 <= quantity <= MAX_QUANTITY:
            return _quote(price, meters, at, context, markup)
        parent = rated[meter][2]
        if parent is not None:
            if left is meters:
                left = dict(meters)
            left[parent] = left.get(parent, 0) - quantity
    lines, total = [], 0
    for meter, quantity in left.items():
        if quantity > 0:
            line, pico, _ = rated[meter]
            amount = pico * quantity
            lines.append(_new(QuoteLine, (line, quantity, amount, line[0])))
            total += amount
        elif quantity:
            return _quote(price, meters, at, context, markup)
    return _new(Quote, (price, tuple(lines), total, markup))


def _quote(
    price: Price, meters: Meters, at: datetime, context: PriceContext, markup: Decimal
) -> Quote:
    """Any meters, of any price."""
    left = exclusive(meters)
    context_tokens = quantity_of(Meter.INPUT_TOKENS, meters)
    lines, total = [], 0
    if not price.is_free:
        for meter, quantity in left.items():
            line, pico = _rated(price, meter, context_tokens, context, at)
            lines.append(QuoteLine(line, quantity, pico * quantity, meter))
            total += pico * quantity
    return Quote(price, tuple(lines), total, markup)


def _rated(
    price: Price, meter: Meter, context_tokens: int, context: PriceContext, at: datetime
) -> tuple[RateLine, int]:
    asked: Meter | None = meter
    while asked is not None:
        rated = price.line_for(asked, context_tokens, context, at)
        if rated is not None:
            return rated
        asked = PARENTS.get(asked) if asked in CHARGED_AS_PARENT else None
    raise MeterNotPriced(price.model_id, meter, context)


def _markup(percent: float | Decimal) -> Decimal:
    is_number = isinstance(percent, int | float | Decimal) and not isinstance(percent, bool)
    markup = Decimal(str(percent)) if is_number else Decimal("NaN")
    if not markup.is_finite() or not MIN_MARKUP <= markup <= MAX_MARKUP:
        raise InvalidMarkup(percent, MIN_MARKUP, MAX_MARKUP)
    return markup
