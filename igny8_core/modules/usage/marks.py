# ruff: noqa: S608 - statements of our own words
"""The database's triggers that mark a past day when a receipt or an adjustment of it is written.

They see every write: the pipeline's, a spool's that is drained days later, and raw SQL. Writes of
today leave no mark: today is not rolled up before it is over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.db import connections

from igny8_core.modules.usage.adjustments import Adjustment
from igny8_core.modules.usage.receipts import Receipt
from igny8_core.modules.usage.roll_ups import ChangedDay, RolledDay

_PREFIX: Final = "usage_marks"
_RECEIPTS: Final = Receipt._meta.db_table
_ADJUSTMENTS: Final = Adjustment._meta.db_table
_MARKS: Final = ChangedDay._meta.db_table
_EVENTS: Final = (("INSERT", "NEW"), ("UPDATE", "OLD"), ("UPDATE", "NEW"), ("DELETE", "OLD"))
_NAMES: Final = {
    "postgresql": "SELECT tgname, tgrelid::regclass FROM pg_trigger WHERE tgname LIKE %s",
    "sqlite": "SELECT name, '' FROM sqlite_master WHERE type = 'trigger' AND name LIKE %s",
}


def drop(using: str, plan: Sequence[Any] = (), **_signal: object) -> None:
    """For `pre_migrate`: SQLite alters no table that a trigger names."""
    if _is_of_the_ledger(plan):
        vendor = connections[using].vendor
        with connections[using].cursor() as cursor:
            for name, table in _existing(using):
                on = f" ON {table}" if vendor == "postgresql" else ""
                cursor.execute(f"DROP TRIGGER {name}{on}")


def install(using: str, plan: Sequence[Any] = (), **_signal: object) -> None:
    """For `post_migrate`: what is missing. A migration of the ledger may have changed any day."""
    connection = connections[using]
    if _MARKS not in connection.introspection.table_names():
        return
    existing = {name for name, _ in _existing(using)}
    statements = {"postgresql": _postgresql, "sqlite": _sqlite}[connection.vendor]
    with connection.cursor() as cursor:
        for name, statement in statements():
            if name not in existing:
                cursor.execute(statement)
    if _is_of_the_ledger(plan) or {name for name, *_ in _triggers()} - existing:
        # Without them, as after a migration that failed, any day may have changed unseen.
        RolledDay.objects.using(using).all().delete()


def _is_of_the_ledger(plan: Sequence[Any]) -> bool:
    return any(migration.app_label == "usage" for migration, _ in plan)


def _existing(using: str) -> list[tuple[str, str]]:
    connection = connections[using]
    with connection.cursor() as cursor:
        cursor.execute(_NAMES[connection.vendor], [f"{_PREFIX}%"])
        return list(cursor.fetchall())


def _triggers() -> Iterator[tuple[str, str, str, str]]:
    """Name, table, event and which of its rows; an update may move a receipt to another day."""
    for table in (_RECEIPTS, _ADJUSTMENTS):
        for event, rows in _EVENTS:
            yield f"{_PREFIX}_{table}_{event}_{rows}".lower(), table, event, rows


def _postgresql() -> Iterator[tuple[str, str]]:
    """One mark a statement and day, however many rows it writes."""
    joined = f"changed JOIN {_RECEIPTS} AS receipt ON receipt.id = changed.receipt_id"
    for table, source in {_RECEIPTS: "changed AS receipt", _ADJUSTMENTS: joined}.items():
        statement = (
            f"CREATE OR REPLACE FUNCTION {_PREFIX}_of_{table}() RETURNS trigger LANGUAGE plpgsql "
            f"AS $$ BEGIN INSERT INTO {_MARKS} (day) "
            f"SELECT DISTINCT (receipt.created_at AT TIME ZONE 'UTC')::date FROM {source} "
            "WHERE receipt.created_at "
            "< date_trunc('day', clock_timestamp() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'; "
            "RETURN NULL; END $$"
        )
        yield "", statement
    for name, table, event, rows in _triggers():
        statement = (
            f"CREATE TRIGGER {name} AFTER {event} ON {table} REFERENCING {rows} TABLE AS changed "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {_PREFIX}_of_{table}()"
        )
        yield name, statement


def _sqlite() -> Iterator[tuple[str, str]]:
    """One mark a day: here no writer waits for another, because there is only one."""
    for name, table, event, rows in _triggers():
        day = f"date({rows}.created_at)"
        if table == _ADJUSTMENTS:
            day = f"(SELECT date(created_at) FROM {_RECEIPTS} WHERE id = {rows}.receipt_id)"
        statement = (
            f"CREATE TRIGGER {name} AFTER {event} ON {table} BEGIN "
            f"INSERT INTO {_MARKS} (day) SELECT day FROM (SELECT {day} AS day) "
            f"WHERE day < date('now') AND day NOT IN (SELECT day FROM {_MARKS}); END"
        )
        yield name, statement
