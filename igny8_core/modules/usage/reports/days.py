"""Days in UTC: which are rolled and stand, and which moments the others are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import reduce
from operator import or_
from typing import NamedTuple

from django.db.models import Q

from igny8_core.modules.usage.models import ChangedDay, RolledDay

DAY = timedelta(days=1)


class Days(NamedTuple):
    """From the first to the last, both included."""

    first: date
    last: date

    def of_receipts(self) -> Q:
        begins = datetime.combine(self.first, time.min, tzinfo=UTC)
        ends = datetime.combine(self.last, time.max, tzinfo=UTC)
        return Q(created_at__gte=begins, created_at__lte=ends)

    def without(self, taken: Iterable[date]) -> Iterator[Days]:
        """What is left of them, in pieces; `taken` is in order and within them."""
        first = self.first
        for day in taken:
            if first < day:
                yield Days(first, day - DAY)
            if day == date.max:
                return
            first = day + DAY
        if first <= self.last:
            yield Days(first, self.last)


def rolled(days: Days) -> list[date]:
    """Those whose roll-up says what their receipts say, in order. One query."""
    standing = RolledDay.objects.filter(day__range=days).exclude(
        day__in=ChangedDay.objects.filter(day__range=days).values("day")
    )
    return list(standing.order_by("day").values_list("day", flat=True))


def any_of(pieces: Iterable[Days]) -> Q:
    return reduce(or_, (piece.of_receipts() for piece in pieces), Q())
