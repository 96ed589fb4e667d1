"""Rates and exact quotes: what given meters cost, line by line. Pure; money is Decimal."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import NamedTuple

from igny8_core.ai.exceptions import InvalidQuantity, MeterNotPriced, UnknownMeter
from igny8_core.ai.values import CatalogueModel, Meter, ModelType

# A quantity of each meter. (Mapping's key is invariant, so Meter has its own.)
Meters = Mapping[str, int] | Mapping[Meter, int]

PER_MILLION = 1_000_000
MAX_QUANTITY = 10**15

# Rounding anywhere in here would be a fault, so it raises.
EXACT = Context(prec=60, traps=[Inexact, InvalidOperation])

# What a model of each type is billed for: its input rate's meter, then its output rate's.
METERS: dict[ModelType, tuple[Meter, ...]] = {
    ModelType.TEXT: (Meter.INPUT_TOKENS, Meter.OUTPUT_TOKENS),
    ModelType.IMAGE: (Meter.IMAGES,),
    ModelType.EMBEDDING: (Meter.INPUT_TOKENS,),
}


class RateLine(NamedTuple):
    """`amount` USD per `per` of a meter."""

    meter: Meter
    amount: Decimal
    per: int


class Price(NamedTuple):
    """The rate lines of one model. A rate of zero makes no line: it is unknown, not free."""

    model_id: str
    lines: tuple[RateLine, ...]
    is_complete: bool
    currency: str = "USD"

    def line_for(self, meter: Meter) -> RateLine:
        for line in self.lines:
            if line.meter == meter:
                return line
        raise MeterNotPriced(self.model_id, meter)


class QuoteLine(NamedTuple):
    meter: Meter
    quantity: int
    rate: Decimal
    per: int
    amount: Decimal

    def facts(self) -> dict[str, str | int]:
        """The line as JSON: money as text."""
        return {
            "meter": self.meter.value,
            "quantity": self.quantity,
            "rate": money_text(self.rate),
            "per": self.per,
            "amount": money_text(self.amount),
        }


class Quote(NamedTuple):
    """What given meters cost; `cost` is the sum of the lines, unrounded."""

    model_id: str
    lines: tuple[QuoteLine, ...]
    cost: Decimal
    currency: str


def price_of(model: CatalogueModel) -> Price:
    """The model's price, from its headline rates."""
    meters = METERS[ModelType(model.model_type)]
    rates = zip(meters, (model.input_rate, model.output_rate), strict=False)
    lines = tuple(
        RateLine(meter, rate, 1 if meter == Meter.IMAGES else PER_MILLION)
        for meter, rate in rates
        if rate
    )
    return Price(model.model_id, lines, is_complete=len(lines) == len(meters))


def quote(price: Price, meters: Meters) -> Quote:
    """Price the meters exactly.

    Raises UnknownMeter, InvalidQuantity, and MeterNotPriced where a meter that was used has no
    line. A quantity of zero costs nothing and needs none.
    """
    lines = tuple(
        _quote_line(price.line_for(meter), quantity)
        for meter, quantity in _checked(meters)
        if quantity
    )
    cost = Decimal(0)
    for line in lines:
        cost = EXACT.add(cost, line.amount)
    return Quote(price.model_id, lines, cost, price.currency)


def _checked(meters: Meters) -> list[tuple[Meter, int]]:
    checked = []
    for name, quantity in meters.items():
        try:
            meter = Meter(name)
        except ValueError:
            raise UnknownMeter(name, Meter) from None
        if type(quantity) is not int or not 0 <= quantity <= MAX_QUANTITY:
            raise InvalidQuantity(name, quantity, least=0, most=MAX_QUANTITY)
        checked.append((meter, quantity))
    return checked


def _quote_line(line: RateLine, quantity: int) -> QuoteLine:
    amount = EXACT.divide(EXACT.multiply(line.amount, Decimal(quantity)), Decimal(line.per))
    return QuoteLine(line.meter, quantity, line.amount, line.per, amount)


def money_text(amount: Decimal) -> str:
    """An amount as a person writes it: every digit that counts, at least two decimals."""
    whole, _, decimals = format(amount, "f").partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"
