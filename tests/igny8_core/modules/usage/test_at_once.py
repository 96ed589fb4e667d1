"""Roll-ups beside writers, other roll-ups and migrations."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from igny8_core.modules.accounts.models import Account
from igny8_core.modules.usage.models import DailyUsage, Receipt, RolledDay
from igny8_core.modules.usage.reports import By, Days, rolling, totals
from tests.conftest import Manage
from tests.igny8_core.modules.test_usage import receipt
from tests.igny8_core.modules.usage.test_reports import DAY, MARCH, at

at_once = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def elsewhere(do: Callable[[], Any]) -> Any:
    """By a connection of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(closing, do).result()


def closing(do: Callable[[], Any]) -> Any:
    try:
        return do()
    finally:
        connection.close()


def calls() -> int:
    return sum(total.calls for total in totals(MARCH, [By.DAY]))


@at_once
@pytest.mark.usefixtures("postgresql")
def test_receipt__written_while_its_day_is_rolled__is_not_lost(acme: Account) -> None:
    """What was begun before the roll-up and committed after it."""
    with transaction.atomic():
        receipt(acme, created_at=at()).save()
        elsewhere(lambda: rolling.roll(DAY))
        assert elsewhere(calls) == 0
    assert calls() == 1
    assert [each.day for each in rolling.roll_due()] == [DAY]
    assert (calls(), DailyUsage.objects.get().calls) == (1, 1)


def roll_and_rebuild() -> None:
    for do in (rolling.roll_due, partial(rolling.rebuild, *MARCH)):
        for _ in do():
            pass


@at_once
def test_roll_ups__of_four_machines_at_once__are_one(acme: Account) -> None:
    days = [date(2025, 3, number) for number in range(1, 9)]
    for day in days:
        receipt(acme, created_at=at(day)).save()

    with ThreadPoolExecutor(4) as pool:
        for each in [pool.submit(closing, roll_and_rebuild) for _ in range(4)]:
            each.result()
    assert [*RolledDay.objects.order_by("day").values_list("day", flat=True)] == days
    assert [(row.day, row.cost) for row in DailyUsage.objects.order_by("day")] == [
        (day, Decimal("0.1")) for day in days
    ]


def test_roll__of_a_day__takes_as_many_statements_for_many_receipts(
    acme: Account,
) -> None:
    counts = []
    for number in (1, 50):
        for each in range(number):
            receipt(acme, created_at=at(), task=f"task-{each}").save()
        with CaptureQueriesContext(connection) as queries:
            rolling.roll(DAY)
        counts.append(len(queries))
    assert counts[0] >= counts[1]
    assert not Receipt.objects.exclude(created_at=at()).exists()
    assert totals(Days(DAY, DAY), [By.DAY])[0].calls == 51


MIGRATED = """
import json
from django.db import connection
from igny8_core.modules.usage.models import Receipt, RolledDay, ChangedDay
with connection.cursor() as cursor:
    cursor.execute("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'")
    (triggers,) = cursor.fetchone()
Receipt.objects.filter(status="ok").update(latency_ms=1)
print(json.dumps([triggers, RolledDay.objects.count(), ChangedDay.objects.count()]))
"""
CALLED = """
from igny8_core.ai.ai_core import AICore
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.usage.models import Receipt
AICore(Account.objects.by_key("acme")).run_ai_request("generate_content", "About tyres")
Receipt.objects.update(created_at="2025-03-31T12:00Z")
"""
WRITTEN = """
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("UPDATE usage_receipt SET latency_ms = 3")
"""


def test_migrate__back_and_forth__marks_again_and_forgets_what_was_rolled(
    manage_process: Manage,
) -> None:
    def told() -> list[int]:
        ended = manage_process("shell", "--verbosity=0", "--command", MIGRATED)
        assert ended.returncode == 0, ended.stderr
        found: list[int] = json.loads(ended.stdout)
        return found

    def done(*words: str) -> None:
        ended = manage_process(*words)
        assert ended.returncode == 0, ended.stderr

    done("shell", "--command", CALLED)
    done("roll_up")
    assert told() == [8, 1, 1]
    done("migrate", "usage", "0010")
    done("shell", "--command", WRITTEN)
    done("migrate")
    assert told() == [8, 0, 1]
