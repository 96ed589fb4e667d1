"""What is added up, in SQL: of receipts, and of the days that they are rolled up to."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from django.db.models import Count, Q, Sum, TextField, Value
from django.db.models.functions import Coalesce

from igny8_core.modules.system.money import UsdField
from igny8_core.modules.usage.reports.latencies import Joined, Letter
from igny8_core.modules.usage.states import ANSWERED, State

# What was found out later counts for the day of the call.
_COST: Final = Coalesce("cost", "adjustment__cost")
_CHARGE: Final = Coalesce("charge", "adjustment__charge")
_IS_SPEND: Final = Q(is_spend=True)
_IS_COMPARED: Final = Q(cost_reported__isnull=False, cost_computed__isnull=False)
_IS_ERROR: Final = ~Q(state=State.OPEN) & ~Q(status__in=sorted(ANSWERED))
_NO_USD: Final = Value(Decimal(0), output_field=UsdField())

COUNTS: Final = ("calls", "errors", "without_cost", "input_tokens", "output_tokens", "images")
MONEY: Final = ("cost", "charge", "cost_reported", "cost_computed")
SUMS: Final = (*COUNTS, "compared", *MONEY, "latencies")


def _usd(what: Any, which: Q) -> Any:
    return Coalesce(Sum(what, filter=which), _NO_USD)


OF_RECEIPTS: Final[dict[str, Any]] = {
    "calls": Count("pk"),
    "errors": Count("pk", filter=_IS_ERROR),
    "without_cost": Count("pk") - Count(_COST),
    "input_tokens": Coalesce(Sum("input_tokens"), 0),
    "output_tokens": Coalesce(Sum("output_tokens"), 0),
    "images": Coalesce(Sum("images"), 0),
    "compared": Count("pk", filter=_IS_COMPARED),
    "cost": _usd(_COST, _IS_SPEND),
    "charge": _usd(_CHARGE, _IS_SPEND),
    "cost_reported": _usd("cost_reported", _IS_COMPARED),
    "cost_computed": _usd("cost_computed", _IS_COMPARED),
    "latencies": Coalesce(
        Joined(Letter("latency_ms"), filter=Q(state=State.SETTLED)),
        Value("", output_field=TextField()),
    ),
}
OF_DAYS: Final[dict[str, Any]] = {
    **{name: Sum(name) for name in SUMS[:-1]},
    "latencies": Joined("latencies"),
}


def named(sums: dict[str, Any]) -> dict[str, Any]:
    """By names that no column has, in the order of `SUMS`."""
    return {f"sum_{name}": sums[name] for name in SUMS}
