"""Rolls days up: each replaced whole, in a transaction of its own, by one machine at a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db import connection, transaction
from django.db.models import DateField, Min, Value

from igny8_core.modules.usage.models import ChangedDay, DailyUsage, Receipt, RolledDay
from igny8_core.modules.usage.reports.days import DAY, Days
from igny8_core.modules.usage.reports.sums import OF_RECEIPTS, SUMS, named
from igny8_core.modules.usage.roll_ups import DIMENSIONS

# A day is rolled when it has been over for so long: by then what was begun in it is committed, and
# what is written later is marked.
_RESTS: Final = timedelta(hours=1)
_COLUMNS: Final = ("day", "account_id", *DIMENSIONS[1:], *SUMS)


class Rolled(NamedTuple):
    """`is_same`: as it was before; None where that was not asked."""

    day: date
    is_same: bool | None


def last_day() -> date:
    """The last day that can be rolled, by the database's clock, which its triggers ask too."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT CURRENT_TIMESTAMP")
        (now,) = cursor.fetchone()
    at = now if isinstance(now, datetime) else datetime.fromisoformat(now).replace(tzinfo=UTC)
    return (at.astimezone(UTC) - _RESTS).date() - DAY


def roll_due() -> Iterator[Rolled]:
    """Every day that is over and not rolled, or has changed since."""
    last = last_day()
    for day in sorted({*_changed(last), *_missing(Days(date.min, last))}):
        yield roll(day)


def rebuild(first: date, last: date) -> Iterator[Rolled]:
    """Every day of them that has receipts or a roll-up, compared with what it was."""
    days = Days(first, min(last, last_day()))
    had = DailyUsage.objects.filter(day__range=days).values_list("day", flat=True).distinct()
    for day in sorted({*had, *_with_receipts(days)}):
        yield roll(day, compare=True)


def roll(day: date, *, compare: bool = False) -> Rolled:
    rows = DailyUsage.objects.filter(day=day)
    with transaction.atomic():
        RolledDay.objects.select_for_update().get_or_create(day=day)
        # Before the receipts are read: a mark that is taken away is of a write that they show.
        ChangedDay.objects.filter(day=day).delete()
        before = _content(day) if compare else None
        rows.delete()
        _insert(day)
        RolledDay(day=day).save(force_update=True)
        return Rolled(day, _content(day) == before if compare else None)


def _insert(day: date) -> None:
    """One statement; nothing comes here."""
    chosen = (
        Receipt.objects.filter(Days(day, day).of_receipts())
        .order_by()
        .annotate(of_day=Value(day, output_field=DateField()))
        .values_list("of_day", *DIMENSIONS)
        .annotate(**named(OF_RECEIPTS))
    )
    statement, values = chosen.query.sql_with_params()
    columns = ", ".join(connection.ops.quote_name(column) for column in _COLUMNS)
    with connection.cursor() as cursor:
        table = connection.ops.quote_name(DailyUsage._meta.db_table)
        cursor.execute(f"INSERT INTO {table} ({columns}) {statement}", values)


def _content(day: date) -> list[tuple[Any, ...]]:
    """Its rows but for their numbers; the letters of latencies are in no order that matters."""
    rows = DailyUsage.objects.filter(day=day).order_by(*DIMENSIONS)
    return [(*row[:-1], sorted(row[-1])) for row in rows.values_list(*DIMENSIONS, *SUMS).iterator()]


def _changed(last: date) -> Iterator[date]:
    yield from ChangedDay.objects.filter(day__lte=last).values_list("day", flat=True).distinct()


def _missing(days: Days) -> Iterator[date]:
    done = RolledDay.objects.filter(day__lte=days.last).order_by("day")
    for piece in days.without(done.values_list("day", flat=True)):
        yield from _with_receipts(piece)


def _with_receipts(days: Days) -> Iterator[date]:
    """One indexed query a day that has any."""
    while days.first <= days.last:
        found = Receipt.objects.filter(days.of_receipts()).aggregate(at=Min("created_at"))["at"]
        if found is None:
            return
        day = found.astimezone(UTC).date()
        yield day
        days = Days(day + DAY, days.last)
