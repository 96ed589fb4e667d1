"""The ledger's way to its database: a connection that died is made anew, once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, TypeVar

from django.conf import settings
from django.db import InterfaceError, InternalError, OperationalError, connection, transaction

from flags import live

Result = TypeVar("Result")
_SILENT: Final = "the database is known to be down or to hang"
# What says that the database cannot be asked, or takes no writes, and nothing of what it was asked.
AWAY: Final = (OperationalError, InterfaceError, InternalError)


def reconnected(do: Callable[[], Result]) -> Result:
    """What it gives; where the connection is dead, once more by a fresh one. Raises DatabaseError.

    Inside a transaction there is no second try: what it has done is lost with the connection.
    """
    try:
        return do()
    except AWAY:
        if connection.in_atomic_block:
            raise
        connection.close()
        return do()


def written(do: Callable[[], Result]) -> Result:
    """As `reconnected`; but a database that is known to be silent is not waited for."""
    if live.is_database_silent():
        raise OperationalError(_SILENT)
    return reconnected(do)


def in_callers_transaction() -> bool:
    """Whether what is written now would go with the caller's rollback; a test case's does not."""
    return len(connection.atomic_blocks) > settings.AI_TEST_CASE_TRANSACTIONS


def kept_apart() -> AbstractContextManager[Any]:
    """Inside a transaction a statement that fails spoils no more than itself."""
    return transaction.atomic() if connection.in_atomic_block else nullcontext()
