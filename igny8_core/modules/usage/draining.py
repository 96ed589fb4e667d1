"""Enters into the database what waits on the disk, and closes what nobody settles any more."""

from __future__ import annotations

import logging
import os
import time
from datetime import timedelta
from threading import Lock, Thread
from typing import Final, NamedTuple
from uuid import uuid4

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from igny8_core.errors import AIError
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.models import ModelPrice
from igny8_core.modules.usage import spool
from igny8_core.modules.usage.connecting import AWAY, written
from igny8_core.modules.usage.receipts import Receipt
from igny8_core.modules.usage.spool import Entry
from igny8_core.modules.usage.states import PENDING, State

logger = logging.getLogger(__name__)

_LOOKS_EVERY_S: Final = 1.0


def tell(what: str, entry: Entry, error: Exception) -> None:
    """The last resort: all of it in the log, on one line."""
    request, why = entry["receipt"].get("request_id"), " ".join(str(error).split())
    logger.error("Request %s %s (%s): %s", request, what, why, spool.text_of(entry))


def earlier_of(receipt: Receipt) -> Receipt | None:
    which = {"account_id": receipt.account_id, "request_id": receipt.request_id}
    return Receipt.objects.filter(**which).first()


def drain() -> int:
    """Enter what is on the disk into the database; how many entries.

    Raises OperationalError, InterfaceError. An entry that the database refuses is told in the log,
    whole, and stands in nobody's way.
    """
    return spool.drain(_entered)


def _entered(entry: Entry) -> None:
    try:
        written(lambda: enter(entry))
    except AWAY:
        raise
    except (DatabaseError, AIError, ValueError, LookupError, TypeError, ValidationError) as error:
        tell("cannot be entered", entry, error)


def enter(entry: Entry) -> None:
    """An entry of the spool, once: what is there already is left, a duplicate is flagged."""
    try:
        _enter(entry)
    except IntegrityError:  # another process was faster with the same receipt
        _enter(entry)


def _enter(entry: Entry) -> None:
    with transaction.atomic():
        receipt = _receipt_of(entry)
        if not Account.objects.filter(pk=receipt.account_id).exists():
            tell("has no account any more", entry, LookupError(receipt.account_id))
            return
        rows = Receipt.objects.select_for_update(of=("self",))
        there = rows.filter(account_id=receipt.account_id, request_id=receipt.request_id).first()
        if there is not None and not _is_same(there, receipt):
            receipt.request_id, receipt.duplicates = uuid4(), there
            there = rows.filter(duplicates=there, created_at=receipt.created_at).first()
        if there is None:
            receipt.save(force_insert=True)
        elif there.created_at != receipt.created_at or (
            entry["what"] == spool.SETTLE and there.state != State.SETTLED
        ):
            receipt.request_id, receipt.pk = there.request_id, there.pk
            receipt.save(force_update=True)


def _receipt_of(entry: Entry) -> Receipt:
    fields = {field.attname: field for field in Receipt._meta.concrete_fields}
    content = {name: fields[name].to_python(value) for name, value in entry["receipt"].items()}
    content["price_id"] = _price_key(entry["price"])
    return Receipt(**content)


def _is_same(there: Receipt, receipt: Receipt) -> bool:
    """The very receipt, or an earlier try of it of which nothing was sent."""
    was_never_sent = there.state == State.SETTLED and not there.is_sent
    is_again = was_never_sent and there.arguments == receipt.arguments
    return there.created_at == receipt.created_at or is_again


def _price_key(price: list[str] | None) -> int | None:
    if price is None:
        return None
    return ModelPrice.rows_of(*price).values_list("pk", flat=True).first()


class _Draining:
    """One thread at a time, and a look at the disk a second."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.looked_s = 0.0


_draining = _Draining()
os.register_at_fork(after_in_child=_draining.__init__)  # type: ignore[misc]


def begin_soon() -> None:
    """The database has answered: what waits on the disk is entered, by a thread of its own.

    Where FLAGS_THREAD is off, as in a host's tests, `close_receipts` does it alone.
    """
    now_s = time.monotonic()
    if not settings.FLAGS_THREAD or now_s - _draining.looked_s < _LOOKS_EVERY_S:
        return
    _draining.looked_s = now_s
    if not spool.is_empty() and _draining.lock.acquire(blocking=False):
        Thread(target=_drain_once, name="spool", daemon=True).start()


def _drain_once() -> None:
    try:
        count = drain()
        logger.info("%d entries of the spool are in the database.", count)
    except (DatabaseError, OSError) as error:
        logger.warning("The spool waits on: %s", error)
    finally:
        connection.close()
        _draining.lock.release()


class Closed(NamedTuple):
    """How many receipts were closed as unknown, and how many entries came from the disk."""

    closed: int
    drained: int


def close(older_than: timedelta) -> Closed:
    """Drain the disk, then close as unknown what has been open for so long."""
    drained = drain()
    opened = Receipt.objects.filter(state=State.OPEN, created_at__lt=timezone.now() - older_than)
    closed = opened.update(state=State.UNKNOWN, status=PENDING, settled_at=timezone.now())
    return Closed(closed, drained)
