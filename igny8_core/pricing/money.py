"""Exact money: whole pico-dollars inside, Decimal at the edges."""

from __future__ import annotations

from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Final

DECIMALS: Final = 12
PICO: Final = Decimal(1).scaleb(-DECIMALS)
# Rounding anywhere in here would be a fault, so it raises.
EXACT: Final = Context(prec=80, traps=[Inexact, InvalidOperation])


def money_text(amount: Decimal) -> str:
    """An amount as a person writes it: every digit that counts, at least two decimals."""
    whole, _, decimals = format(amount, "f").partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def number_text(number: Decimal) -> str:
    """Every digit that counts."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
