"""Types of arguments of the ledger's commands."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import UTC, date, datetime


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
