"""What the calls of some days add up to, by account, model, task, variant, day or provider.

Days that are rolled up are read from their roll-ups, the others from their receipts: the answer is
the same either way.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple

from django.db.models import F, QuerySet
from django.db.models.functions import TruncDate

from igny8_core.modules.usage.models import DailyUsage, Receipt
from igny8_core.modules.usage.reports.days import Days, any_of, rolled
from igny8_core.modules.usage.reports.latencies import percentile_ms
from igny8_core.modules.usage.reports.sums import OF_DAYS, OF_RECEIPTS, SUMS, named


class By(StrEnum):
    """What calls are told apart by; the model is the one that was resolved."""

    ACCOUNT = "account"
    MODEL = "model"
    TASK = "task"
    VARIANT = "variant"
    DAY = "day"
    PROVIDER = "provider"


# What a variant is: its flag and its key.
_COLUMNS: Final[Mapping[By, Sequence[str]]] = {
    By.ACCOUNT: ["account__key"],
    By.MODEL: ["model_asked"],
    By.TASK: ["task"],
    By.VARIANT: ["flag", "variant"],
    By.DAY: ["of_day"],
    By.PROVIDER: ["provider"],
}


class Total(NamedTuple):
    """`by`: what it is of, in the order of the question; money in USD.

    `without_cost` are the calls of which no cost is known: what failed, and what had no price.
    `cost` and `charge` are of what counts as spend. `cost_reported` and `cost_computed` are of the
    calls that have both, which are `compared`.
    """

    by: tuple[str, ...]
    calls: int
    errors: int
    without_cost: int
    input_tokens: int
    output_tokens: int
    images: int
    compared: int
    cost: Decimal
    charge: Decimal
    cost_reported: Decimal
    cost_computed: Decimal
    latencies: str

    @property
    def margin(self) -> Decimal:
        return self.charge - self.cost

    def percentile_ms(self, share: float) -> int | None:
        return percentile_ms(self.latencies, share)

    @property
    def difference_percent(self) -> Decimal | None:
        """How much more providers report than was computed; None where it has no measure."""
        more = self.cost_reported - self.cost_computed
        if not more:
            return Decimal(0)
        return 100 * more / self.cost_computed if self.cost_computed else None


def month(year: int, number: int) -> list[Total]:
    """By account and model. Raises ValueError where there is no such month."""
    return totals(days_of_month(year, number), [By.ACCOUNT, By.MODEL])


def days_of_month(year: int, number: int) -> Days:
    """Raises ValueError where there is no such month."""
    first = date(year, number, 1)
    return Days(first, first.replace(day=monthrange(year, number)[1]))


def totals(days: Days, by: Sequence[By]) -> list[Total]:
    """In order; three queries."""
    standing = rolled(days)
    pieces = [*days.without(standing)]
    read: list[Any] = []
    if standing:
        rows = DailyUsage.objects.filter(day__range=days)
        for piece in pieces:
            rows = rows.exclude(day__range=piece)
        read += _grouped(rows.annotate(of_day=F("day")), by, OF_DAYS)
    if pieces:
        receipts = Receipt.objects.filter(any_of(pieces)).order_by()
        dated = receipts.annotate(of_day=TruncDate("created_at", tzinfo=UTC))
        read += _grouped(dated, by, OF_RECEIPTS)
    return _added(read, by)


def _grouped(rows: QuerySet[Any], by: Sequence[By], sums: dict[str, Any]) -> list[Any]:
    """Without a cursor, for which PostgreSQL would sort all receipts."""
    columns = [column for each in by for column in _COLUMNS[each]]
    return list(rows.values_list(*columns).annotate(**named(sums)))


def _added(read: Iterable[tuple[Any, ...]], by: Sequence[By]) -> list[Total]:
    """What is of the same is one total, wherever it was read."""
    found: dict[tuple[str, ...], list[Any]] = {}
    for row in read:
        found.setdefault(_words(row, by), []).append(row[-len(SUMS) :])
    return sorted(Total(words, *_sum(parts)) for words, parts in found.items())


def _sum(parts: Sequence[Sequence[Any]]) -> Iterable[Any]:
    *numbers, latencies = zip(*parts, strict=True)
    return [*map(sum, numbers), "".join(latencies)]


def _words(row: Sequence[Any], by: Sequence[By]) -> tuple[str, ...]:
    """A variant is told by its flag and its key, as in a rule; no variant is empty."""
    values = iter(row)
    told = []
    for each in by:
        parts = [str(next(values)) for _ in _COLUMNS[each]]
        told.append("=".join(parts) if parts[-1] else "")
    return tuple(told)
