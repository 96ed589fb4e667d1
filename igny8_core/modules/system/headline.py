"""The headline rates of a model: two columns that follow the price in force."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from igny8_core.modules.system.errors import InvalidRate

_RATE_DECIMALS = 4


_MOST = 10**6


RATES = ("input_rate", "output_rate")


def check_rate(name: str, value: object) -> None:
    """Raises InvalidRate for what the column would round, or could not hold."""
    try:
        rate = Decimal(str(value))
    except InvalidOperation:
        raise InvalidRate(name, value) from None
    if not rate.is_finite() or not 0 <= rate < _MOST or rate != round(rate, _RATE_DECIMALS):
        raise InvalidRate(name, value)


def rate_text(rate: Decimal) -> str:
    """A rate with four decimals, or all that it has."""
    whole, _, decimals = format(rate.normalize(), "f").partition(".")
    return f"{whole}.{decimals.ljust(_RATE_DECIMALS, '0')}"
