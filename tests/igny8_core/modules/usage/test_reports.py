"""What calls add up to: the same from receipts and from their roll-ups."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import combinations
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from igny8_core.modules.accounts.models import Account
from igny8_core.modules.usage.models import (
    Adjustment,
    ChangedDay,
    DailyUsage,
    Receipt,
    RolledDay,
)
from igny8_core.modules.usage.reports import By, Days, Total, month, rolling, totals
from igny8_core.modules.usage.reports.latencies import (
    BOUNDS_MS,
    Letter,
    letter,
    percentile_ms,
)
from igny8_core.modules.usage.states import State
from tests.conftest import examples
from tests.igny8_core.modules.test_usage import receipt

DAY = date(2025, 3, 31)
MARCH = Days(date(2025, 3, 1), DAY)
PICO = Decimal("0.000000000001")


def at(day: date = DAY, hour: int = 12) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def adjust(row: Receipt, cost: Decimal) -> None:
    Adjustment.objects.create(
        receipt=row, meters={}, model_priced="x", lines=[], cost=cost, charge=2 * cost
    )


def of(days: Days, *by: By) -> list[Total]:
    """With the letters of latencies in order: theirs says nothing."""
    return [
        total._replace(latencies="".join(sorted(total.latencies))) for total in totals(days, by)
    ]


# Totals


def test_month__receipts_of_two_accounts__are_added_up_within_its_bounds(
    acme: Account, bolt: Account
) -> None:
    begins, ends = datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    second = timedelta(seconds=1)
    Receipt.objects.bulk_create(
        [
            receipt(acme, created_at=begins - second),
            receipt(acme, created_at=begins, cost=PICO, charge=2 * PICO),
            receipt(acme, created_at=ends - second, cost=Decimal(7), charge=Decimal(8)),
            receipt(acme, created_at=begins, cost=None, status="unpriced"),
            receipt(acme, created_at=begins, model_asked="gpt-4.1"),
            receipt(bolt, created_at=begins, cost=None, status="timeout"),
            receipt(bolt, created_at=ends),
        ]
    )
    assert [
        (total.by, total.calls, total.errors, total.without_cost, total.cost, total.charge)
        for total in month(2026, 12)
    ] == [
        (("acme", "gpt-4.1"), 1, 0, 0, Decimal("0.1"), Decimal(0)),
        (("acme", "gpt-4o"), 3, 0, 1, 7 + PICO, 8 + 2 * PICO),
        (("bolt", "gpt-4o"), 1, 1, 1, Decimal(0), Decimal(0)),
    ]
    assert [total.by for total in month(2027, 1)] == [("bolt", "gpt-4o")]
    assert month(9999, 12) == month(1, 1) == []


COUNTED: dict[str, tuple[dict[str, Any], tuple[int, int, int, str, str]]] = {
    "an answer": ({}, (1, 0, 0, "0.1", "0.3")),
    "offline": ({"is_spend": False}, (1, 0, 0, "0", "0")),
    "unpriced": ({"status": "unpriced", "cost": None, "charge": None}, (1, 0, 1, "0", "0")),
    "failed": ({"status": "timeout", "cost": None, "charge": None}, (1, 1, 1, "0", "0")),
    "failed, and billed": ({"status": "timeout", "charge": None}, (1, 1, 0, "0.1", "0")),
    "under way": (
        {"state": State.OPEN, "status": "pending", "cost": None, "charge": None},
        (1, 0, 1, "0", "0"),
    ),
    "never known": (
        {"state": State.UNKNOWN, "status": "pending", "cost": None, "charge": None},
        (1, 1, 1, "0", "0"),
    ),
}


@pytest.mark.parametrize("is_rolled", [False, True])
@pytest.mark.parametrize("name", COUNTED)
def test_total__of_one_receipt__counts_what_it_is(
    acme: Account, name: str, is_rolled: bool
) -> None:
    said, expected = COUNTED[name]
    receipt(acme, created_at=at(), **{"charge": Decimal("0.3"), **said}).save()
    if is_rolled:
        rolling.roll(DAY)
    (total,) = totals(MARCH, [By.MODEL])
    cost, charge = map(Decimal, expected[3:])
    assert (total.calls, total.errors, total.without_cost) == expected[:3]
    assert (total.cost, total.charge, total.margin) == (cost, charge, charge - cost)
    is_timed = said.get("state", State.SETTLED) == State.SETTLED
    assert (total.percentile_ms(0.5), len(total.latencies)) == ((5, 1) if is_timed else (None, 0))


def test_total__by_variant__is_told_apart_by_flag(acme: Account) -> None:
    for flag, variant in (("a", "next"), ("b", "next"), ("b", "next"), ("b", ""), ("", "")):
        receipt(acme, created_at=at(), flag=flag, variant=variant).save()
    assert [(total.by, total.calls) for total in totals(MARCH, [By.VARIANT])] == [
        (("",), 2),
        (("a=next",), 1),
        (("b=next",), 2),
    ]


def test_total__by_day__is_the_day_in_utc(acme: Account) -> None:
    last = datetime(2025, 3, 30, 23, 59, 59, 999_999, tzinfo=UTC)
    receipt(acme, created_at=last).save()
    receipt(acme, created_at=last + timedelta(microseconds=1)).save()
    for _ in range(2):
        assert [total.by for total in totals(MARCH, [By.DAY])] == [
            ("2025-03-30",),
            ("2025-03-31",),
        ]
        rolling.roll(date(2025, 3, 31))


# Rolling


def test_roll_up__whatever_is_asked__says_what_the_receipts_say(
    acme: Account, bolt: Account
) -> None:
    for number, account in enumerate([acme, bolt, acme, bolt, acme]):
        receipt(
            account,
            created_at=at(DAY - timedelta(days=number // 2)),
            task=f"task-{number % 2}",
            provider=["openai", "google"][number % 2],
            latency_ms=10**number,
            input_tokens=number,
            cost_reported=Decimal(number) + PICO,
            cost_computed=Decimal(number),
        ).save()
    questions = [by for size in range(1, 4) for by in combinations(By, size)]
    before = {by: of(MARCH, *by) for by in questions}
    assert [each.day for each in rolling.roll_due()] == [
        date(2025, 3, 29),
        date(2025, 3, 30),
        DAY,
    ]
    assert {by: of(MARCH, *by) for by in questions} == before
    assert [*rolling.roll_due()] == []


def update(row: Receipt, **changed: Any) -> None:
    Receipt.objects.filter(pk=row.pk).update(**changed)


def settle_late(row: Receipt) -> None:
    update(row, state=State.SETTLED, status="ok", cost=Decimal(3), latency_ms=900)


def drain_from_a_spool(row: Receipt) -> None:
    receipt(row.account, created_at=at(hour=1), settled_at=at(hour=1)).save()


def write_by_raw_sql(row: Receipt) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE usage_receipt SET input_tokens = 77")


CHANGES: dict[str, Callable[[Receipt], object]] = {
    "a late settlement": settle_late,
    "an adjustment": lambda row: adjust(row, Decimal(4)),
    "a spool that is drained days later": drain_from_a_spool,
    "closed as unknown": lambda row: update(row, state=State.UNKNOWN),
    "opened again on another day": lambda row: update(row, created_at=at(DAY - timedelta(days=3))),
    "deleted": lambda row: row.delete(),
    "raw SQL": write_by_raw_sql,
}


@pytest.mark.parametrize("name", CHANGES)
def test_rolled_day__that_changes_later__is_right_at_once_and_after_the_next_roll_up(
    acme: Account, name: str
) -> None:
    waiting = {"state": State.OPEN, "status": "pending", "cost": None}
    row = receipt(acme, created_at=at(), **waiting)
    row.save()
    assert len([*rolling.roll_due()]) == 1
    CHANGES[name](row)
    by = (By.DAY, By.ACCOUNT)
    at_once = of(MARCH, *by)
    assert DAY in {each.day for each in rolling.roll_due()}
    rolled = of(MARCH, *by)
    assert not ChangedDay.objects.exists()
    RolledDay.objects.all().delete()  # what is not rolled is read from receipts
    assert at_once == rolled == of(MARCH, *by)


def test_today__is_neither_marked_nor_rolled(acme: Account) -> None:
    receipt(acme).save()
    assert not ChangedDay.objects.exists()
    assert [*rolling.roll_due()] == []


@pytest.mark.parametrize("is_wrong", [False, True])
def test_rebuild__says_which_days_were_not_as_they_are(acme: Account, is_wrong: bool) -> None:
    for number in range(3):
        receipt(acme, created_at=at(DAY - timedelta(days=number))).save()
    assert len([*rolling.roll_due()]) == 3
    if is_wrong:
        DailyUsage.objects.filter(day=DAY).update(cost=PICO)
    told = [*rolling.rebuild(DAY - timedelta(days=1), date.max)]
    assert told == [(DAY - timedelta(days=1), True), (DAY, not is_wrong)]
    assert [total.cost for total in totals(MARCH, [By.MODEL])] == [Decimal("0.3")]


class Ledgers(TestCase):
    """Whatever was written between two roll-ups."""

    writes = st.lists(
        st.tuples(
            st.sampled_from(["open", "settle", "adjust", "move", "delete", "roll"]),
            st.integers(0, 5),
            st.decimals(0, 1_000, places=12),
            st.integers(0, 2_000_000),
        ),
        max_size=25,
    )

    @examples(60)
    @given(writes)
    def test_rolled_by_and_by__any_writes__agrees_with_rebuilt_and_with_receipts(
        self, writes: list[tuple[str, int, Decimal, int]]
    ) -> None:
        account = Account.objects.create(key=f"a{uuid4()}", name="x")
        for what, number, amount, latency_ms in writes:
            write(account, what, number, amount, latency_ms)
        days = Days(date(2025, 1, 1), date(2025, 1, 9))
        by_and_by = of(days, *By)
        for _ in rolling.roll_due():
            pass
        rolled = of(days, *By)
        assert all(each.is_same for each in rolling.rebuild(*days))
        assert of(days, *By) == rolled == by_and_by
        RolledDay.objects.all().delete()
        assert of(days, *By) == rolled


def write(account: Account, what: str, number: int, amount: Decimal, latency_ms: int) -> None:
    day = at(date(2025, 1, 1 + number))
    rows = Receipt.objects.filter(account=account, created_at=day)
    waiting = rows.filter(state=State.OPEN).first()
    match what:
        case "open":
            opened = {"state": State.OPEN, "status": "pending", "cost": None}
            receipt(account, created_at=day, **opened).save()
        case "settle" if waiting:
            settled: dict[str, Any] = {"state": State.SETTLED, "latency_ms": latency_ms}
            rows.filter(pk=waiting.pk).update(cost_reported=amount, **settled)
        case "adjust" if waiting and not hasattr(waiting, "adjustment"):
            adjust(waiting, amount)
        case "move" if waiting:
            rows.filter(pk=waiting.pk).update(created_at=at(date(2025, 1, 9)))
        case "delete" if waiting and not hasattr(waiting, "adjustment"):
            waiting.delete()
        case "roll":
            for _ in rolling.roll_due():
                pass


# Latencies


def test_letter__in_sql__is_the_same_on_both_sides_of_every_bound(acme: Account) -> None:
    times_ms = sorted({bound + more for bound in BOUNDS_MS for more in (-1, 0)} | {2**31 - 1})
    Receipt.objects.bulk_create(receipt(acme, latency_ms=each) for each in times_ms)
    told = Receipt.objects.annotate(letter=Letter("latency_ms")).order_by("latency_ms")
    assert [row.letter for row in told] == [letter(each) for each in times_ms]


@given(st.lists(st.integers(0, BOUNDS_MS[-1]), min_size=1, max_size=200), st.floats(0.01, 1))
def test_percentile__of_any_calls__is_within_a_tenth_or_a_millisecond(
    times_ms: list[int], share: float
) -> None:
    told = percentile_ms("".join(map(letter, times_ms)), share)
    assert told is not None
    exact = next(
        each
        for number, each in enumerate(sorted(times_ms), start=1)
        if number >= share * len(times_ms)
    )
    assert abs(told - exact) <= max(1, exact / 10)


def test_percentile__of_no_calls__is_none() -> None:
    assert percentile_ms("", 0.5) is None
