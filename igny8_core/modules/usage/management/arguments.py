"""Types of arguments of the ledger's commands."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import UTC, date, datetime, timedelta
from math import nan
from typing import Final

_MOST_MINUTES: Final = 1_000_000


def day(text: str) -> date:
    return _parsed(text, "%Y-%m-%d", "a day such as 2026-11-30")


def month(text: str) -> date:
    """Its first day."""
    return _parsed(text, "%Y-%m", "a month such as 2026-11")


def _parsed(text: str, form: str, wanted: str) -> date:
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC).date()
    except ValueError:
        message = f"{text!r} is not {wanted}"
        raise ArgumentTypeError(message) from None


def minutes(text: str) -> timedelta:
    """From none to two years."""
    try:
        said = float(text)
    except ValueError:
        said = nan
    if not 0 <= said <= _MOST_MINUTES:
        message = f"{text!r} is not a number of minutes from 0 to {_MOST_MINUTES:,}"
        raise ArgumentTypeError(message)
    return timedelta(minutes=said)
