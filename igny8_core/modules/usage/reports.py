"""What the receipts of a month add up to, by account and model."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Count, Sum
from django.db.models.functions import Coalesce

from igny8_core.modules.usage.receipts import Receipt

_NOTHING = Decimal(0)
# What was found out later counts for the month of the call.
_COST = Coalesce("cost", "adjustment__cost")
_CHARGE = Coalesce("charge", "adjustment__charge")


class Total(NamedTuple):
    """`model_id` is the one that was resolved; money in USD.

    `without_cost` are the calls without a cost: what failed, and what had no price.
    """

    account_key: str
    model_id: str
    calls: int
    without_cost: int
    cost: Decimal
    charge: Decimal


def month(year: int, number: int) -> list[Total]:
    """One query; by account and model, in UTC. Raises ValueError where there is no such month."""
    begins = datetime(year, number, 1, tzinfo=UTC)
    last = begins.replace(day=monthrange(year, number)[1])
    ends = datetime.combine(last, time.max, tzinfo=UTC)
    rows = (
        Receipt.objects.filter(created_at__gte=begins, created_at__lte=ends)
        .order_by("account__key", "model_asked")
        .values_list("account__key", "model_asked")
        .annotate(
            calls=Count("pk"),
            without_cost=Count("pk") - Count(_COST),
            total_cost=Sum(_COST),
            total_charge=Sum(_CHARGE),
        )
    )
    return [Total(*row[:4], *(each or _NOTHING for each in row[4:])) for row in rows]
