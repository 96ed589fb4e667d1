"""Rates and conditions in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from igny8_core.pricing.money import money_text
from igny8_core.pricing.prices import PER_MILLION, RateLine


def rate_text(line: RateLine) -> str:
    """`14.00 per 1M output tokens`, and where it holds."""
    unit = line.meter.replace("_", " ")
    per = {1: unit.removesuffix("s"), PER_MILLION: f"1M {unit}"}.get(line.per, f"{line.per} {unit}")
    where = condition_text(line.written)
    return f"{money_text(line.amount)} per {per}" + (f" ({where})" if where else "")


def condition_text(written: Mapping[str, Any] | None) -> str:
    """Where a rate holds; empty: always."""
    return ", ".join(f"{name} {_value_text(value)}" for name, value in (written or {}).items())


def _value_text(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)
