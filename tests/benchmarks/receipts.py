"""The month's report over ten million receipts of a year, on PostgreSQL: `python -m` this.

Ten minutes and 6 GB, so it is no part of `make bench`.
"""

from __future__ import annotations

import os
from typing import Final

import django
from django.core.management import call_command

from tests.benchmarks.measure import median_s

RECEIPTS: Final = 10_000_000
ACCOUNTS: Final = 1_000
_DATABASE: Final = "bench_receipts"


def main() -> None:
    from tests.benchmarks.liveness import new_database

    os.environ |= {"DATABASE_URL": new_database(_DATABASE), "REDIS_URL": "", "DEBUG": "false"}
    os.environ |= {"SECRET_KEY": "s" * 50, "ALLOWED_HOSTS": "localhost"}
    os.environ["DJANGO_SETTINGS_MODULE"] = "igny8_core.settings"
    django.setup()
    call_command("migrate", verbosity=0)
    _fill()
    from igny8_core.modules.usage import reports

    calls = sum(total.calls for total in reports.month(2026, 6))
    seconds = median_s(lambda: reports.month(2026, 6))
    print(f"{calls:,} of {RECEIPTS:,} receipts, by account and model, s (1): {seconds:.2f}")


def _fill() -> None:
    """A year's, evenly, for seven models; each like one that the pipeline keeps."""
    from django.db import connection

    from igny8_core.ai.ai_core import AICore
    from igny8_core.modules.accounts.models import Account
    from igny8_core.modules.usage.receipts import Receipt

    accounts = [Account(key=f"a{number}", name="x", plan="pro") for number in range(ACCOUNTS)]
    account = Account.objects.bulk_create(accounts)[0]
    AICore(account, connections={}).run_ai_request("generate_content", "x" * 100)
    receipt = Receipt.objects.get()
    changed = {
        "id": "i + 10",
        "request_id": "lpad(to_hex(i), 32, '0')::uuid",
        "account_id": f"{account.pk} + i % {ACCOUNTS}",
        "model_asked": "'model-' || i % 7",
        "created_at": "'2026-01-01Z'::timestamptz + i * interval '3.1536 s'",
    }
    names = [str(field.column) for field in Receipt._meta.concrete_fields]
    chosen = ", ".join(changed.get(name, f'"{name}"') for name in names)
    into = ", ".join(f'"{name}"' for name in names)
    table = Receipt._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({into}) SELECT {chosen} "  # noqa: S608 - our own words
            f"FROM {table}, generate_series(0, {RECEIPTS - 1}) AS i WHERE id = {receipt.pk}"
        )
        cursor.execute(f"VACUUM ANALYZE {table}")


if __name__ == "__main__":
    main()
