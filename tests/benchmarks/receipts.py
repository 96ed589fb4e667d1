"""Reports and look-ups over ten million receipts of a year, on PostgreSQL: `python -m` this.

A quarter of an hour and 20 GB, so it is no part of `make bench`; a number after it is another
number of receipts. Its database is its own, and dropped at the end.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from io import StringIO
from typing import Final

import django
from django.core.management import call_command

ACCOUNTS: Final = 1_000
_DATABASE: Final = "bench_receipts"
_LOOK_UPS: Final = 50


def main() -> None:
    from tests.benchmarks.liveness import dropped_database, new_database

    number = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    os.environ |= {"DATABASE_URL": new_database(_DATABASE), "REDIS_URL": "", "DEBUG": "false"}
    os.environ |= {"SECRET_KEY": "s" * 50, "ALLOWED_HOSTS": "localhost"}
    os.environ["DJANGO_SETTINGS_MODULE"] = "igny8_core.settings"
    django.setup()
    try:
        call_command("migrate", verbosity=0)
        _timed(f"{number:,} receipts written", lambda: _fill(number))
        _measure(number)
    finally:
        dropped_database(_DATABASE)


def _measure(number: int) -> None:
    from django.db import connection

    from igny8_core.modules.usage.models import DailyUsage

    _reports("of receipts")
    _timed("every day rolled up", lambda: call_command("roll_up", stdout=StringIO()))
    with connection.cursor() as cursor:
        cursor.execute(f"VACUUM ANALYZE {DailyUsage._meta.db_table}")
    print(f"rows of roll-ups: {DailyUsage.objects.count():,}")
    _reports("of roll-ups")
    _timed("every day rebuilt", lambda: print(_told("roll_up", "--rebuild"), end=""))
    _timed("nothing to roll up", lambda: call_command("roll_up", stdout=StringIO()))
    _look_ups(number)
    _writes()


def _reports(of: str) -> None:
    for by in ("account,model", "day,variant", "model", "provider,task"):
        for options in ([], ["--reported"]) if by == "model" else ([],):
            words = f"June by {by} {' '.join(options)} {of}"
            for _ in range(3):
                _timed(words, lambda: _told("usage", "2025-06", "--by", by, *options))  # noqa: B023


def _look_ups(number: int) -> None:
    step = number // _LOOK_UPS
    chosen = range(step // 2, number, step)
    asked: dict[str, Callable[[int], list[str]]] = {
        "id": lambda i: ["--request", f"{i:032x}"],
        "run": lambda i: ["--run", f"run-{i // 20}"],
        "account": lambda i: ["--account", f"a{i % ACCOUNTS}"],
        "account, of a month": lambda i: [
            *("--account", f"a{i % ACCOUNTS}", "--from", "2025-03-01", "--to", "2025-04-01")
        ],
    }
    for name, arguments in asked.items():
        times_ms = []
        for i in chosen:
            began_s = time.perf_counter()
            found = _told("receipts", "--json", *arguments(i))
            times_ms.append((time.perf_counter() - began_s) * 1_000)
            if len(found) < len("[{}]"):
                raise AssertionError(f"nothing found by {name}")
        times_ms.sort()
        print(
            f"receipts by {name}: median {times_ms[len(times_ms) // 2]:.1f} ms, "
            f"longest {times_ms[-1]:.1f} ms",
            flush=True,
        )


def _writes() -> None:
    """What a mark costs the one who writes; none is left of today."""
    from datetime import timedelta
    from uuid import uuid4

    from django.db import connection, transaction

    from igny8_core.modules.usage.models import Receipt

    template = Receipt.objects.latest("created_at")
    today = Receipt.objects.earliest("created_at").created_at.replace(year=9000)
    for words, at in (("of today", today), ("of a past day", template.created_at)):
        for is_marked in (True, False):
            with transaction.atomic(), connection.cursor() as cursor:
                if not is_marked:
                    cursor.execute("ALTER TABLE usage_receipt DISABLE TRIGGER USER")
                began_s = time.perf_counter()
                for i in range(500):
                    template.pk, template.request_id = None, uuid4()
                    template.created_at = at - timedelta(milliseconds=i)
                    template.save(force_insert=True)
                each_us = (time.perf_counter() - began_s) / 500 * 1e6
                transaction.set_rollback(True)
            how = "with triggers" if is_marked else "without"
            print(f"a receipt {words} inserted, {how}: {each_us:.0f} µs")


def _told(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def _timed(words: str, do: Callable[[], object]) -> None:
    began_s = time.perf_counter()
    do()
    print(f"{words}: {time.perf_counter() - began_s:.2f} s", flush=True)


def _fill(number: int) -> None:
    """A year's, evenly. An account has one model and one variant for each of five tasks."""
    from django.db import connection

    from igny8_core.ai.ai_core import AICore
    from igny8_core.modules.accounts.models import Account
    from igny8_core.modules.usage.receipts import Receipt

    accounts = [Account(key=f"a{each}", name="x", plan="pro") for each in range(ACCOUNTS)]
    account = Account.objects.bulk_create(accounts)[0]
    AICore(account, connections={}).run_ai_request("generate_content", "x" * 100)
    receipt = Receipt.objects.get()
    who, what = f"i % {ACCOUNTS}", f"i / {ACCOUNTS} % 5"
    changed = {
        "id": "i + 1000000",
        "request_id": "lpad(to_hex(i), 32, '0')::uuid",
        "account_id": f"{account.pk} + {who}",
        "task": f"'task-' || {what}",
        "model_asked": f"'model-' || ({who} + {what}) % 7",
        "flag": f"'task-' || {what}",
        "variant": f"'variant-' || {who} % 3",
        "provider": "'openai'",
        "is_spend": "true",
        "run": "'run-' || i / 20",
        "charge": "cost * 2",
        "cost_reported": "CASE WHEN i % 10 = 0 THEN cost END",
        "latency_ms": "(100 * exp(5 * random()))::int",
        "created_at": f"'2025-01-01Z'::timestamptz + i * interval '{31_536_000 / number} s'",
    }
    names = [str(field.column) for field in Receipt._meta.concrete_fields]
    chosen = ", ".join(changed.get(name, f'"{name}"') for name in names)
    into = ", ".join(f'"{name}"' for name in names)
    table = Receipt._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # no trigger, no foreign key
        cursor.execute(
            f"INSERT INTO {table} ({into}) SELECT {chosen} "  # noqa: S608 - our own words
            f"FROM {table}, generate_series(0, {number - 1}) AS i WHERE id = {receipt.pk}"
        )
        cursor.execute("SET session_replication_role = origin")
        cursor.execute(f"VACUUM ANALYZE {table}, {Account._meta.db_table}")


if __name__ == "__main__":
    main()
