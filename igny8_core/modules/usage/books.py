"""Opens and settles receipts: in the database, and on disk while the database is away.

```
open ──▶ database ─(away)─▶ a fresh connection ─(away)─▶ spool ─(unusable)─▶ refused, nothing sent
settle ─▶ database ─(away)─▶ a fresh connection ─(away)─▶ spool ─(unusable)─▶ the log, whole
```
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from threading import Lock, Thread
from typing import Any, Final, NamedTuple, TypeVar
from uuid import uuid4

from django.core.serializers.json import DjangoJSONEncoder
from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connection,
    transaction,
)
from django.db.models import Subquery
from django.utils import timezone

from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.models import ModelPrice
from igny8_core.modules.usage import spool
from igny8_core.modules.usage.errors import RequestConflict, RequestDone, RequestInProgress
from igny8_core.modules.usage.receipts import PENDING, Receipt, State
from igny8_core.modules.usage.spool import Entry, SpoolUnusable
from igny8_core.pricing.prices import Price

logger = logging.getLogger(__name__)

Result = TypeVar("Result")
# What says that the database cannot be asked, and nothing of what it was asked.
_AWAY: Final = (OperationalError, InterfaceError)
_LOOKS_EVERY_S: Final = 1.0


def reconnected(do: Callable[[], Result]) -> Result:
    """What it gives; where the connection is dead, once more by a fresh one. Raises DatabaseError.

    Inside a transaction there is no second try: what it has done is lost with the connection.
    """
    try:
        return do()
    except _AWAY:
        if connection.in_atomic_block:
            raise
        connection.close()
        return do()


def open_receipt(receipt: Receipt) -> None:
    """Reserved: the receipt is in the database, else on the disk. Raises before anything is sent.

    RequestConflict, RequestInProgress and RequestDone where the account has used its id before;
    SpoolUnusable; DatabaseError. One whose earlier try never reached a provider is opened again.
    """
    try:
        reconnected(lambda: _insert(receipt))
    except _AWAY as error:
        logger.warning("Request %s is reserved in the spool: %s", receipt.request_id, error)
        spool.append({"what": "open", "receipt": content_of(receipt), "price": None})


def settle_receipt(receipt: Receipt, price: Price | None) -> None:
    """Settled, in the database, else on the disk, else in the log: it never fails."""
    entry = {
        "what": "settle",
        "receipt": content_of(receipt),
        "price": price and [price.model_id, price.effective_from.isoformat()],
    }
    try:
        reconnected(lambda: _settle(receipt, entry))
    except _AWAY as error:
        logger.warning("Request %s is settled in the spool: %s", receipt.request_id, error)
        _spool(entry)
    except DatabaseError as error:
        _tell("is not settled", entry, error)
    else:
        _drain_soon()


def _spool(entry: Entry) -> None:
    try:
        spool.append(entry)
    except SpoolUnusable as error:
        _tell("is settled nowhere", entry, error)


def _tell(what: str, entry: Entry, error: Exception) -> None:
    """The last resort: all of it in the log."""
    request = entry["receipt"]["request_id"]
    text = json.dumps(entry, cls=DjangoJSONEncoder)
    logger.error("Request %s %s (%s): %s", request, what, error, text)


def content_of(receipt: Receipt) -> dict[str, Any]:
    """Every column but the row's number."""
    return {
        field.attname: getattr(receipt, field.attname)
        for field in Receipt._meta.concrete_fields
        if not field.primary_key
    }


def _insert(receipt: Receipt) -> None:
    try:
        with transaction.atomic():
            receipt.save(force_insert=True)
    except IntegrityError:
        earlier = _earlier(receipt)
        if earlier is None:
            raise
        if earlier.created_at == receipt.created_at:  # our own, whose answer was lost on its way
            receipt.pk = earlier.pk
        else:
            receipt.pk = _opened_again(earlier, receipt)
        receipt._state.adding = False


def _earlier(receipt: Receipt) -> Receipt | None:
    which = {"account_id": receipt.account_id, "request_id": receipt.request_id}
    return Receipt.objects.filter(**which).first()


def _opened_again(earlier: Receipt, receipt: Receipt) -> int:
    """Its number, where it was settled without anything having been sent."""
    request_id = str(receipt.request_id)
    if earlier.arguments != receipt.arguments:
        raise RequestConflict(request_id)
    if earlier.state == State.OPEN:
        raise RequestInProgress(request_id)
    again = {
        name: value
        for name, value in content_of(receipt).items()
        if name not in {"account_id", "request_id"}
    }
    never_sent = Receipt.objects.filter(pk=earlier.pk, state=State.SETTLED, is_sent=False)
    if not never_sent.update(**again):
        raise RequestDone(request_id, earlier)
    return earlier.pk


def _settle(receipt: Receipt, entry: Entry) -> None:
    """One statement where the receipt was opened in the database."""
    content = dict(entry["receipt"])
    content["price_id"] = _price_row(entry["price"])
    if not receipt._state.adding:
        open_ones = Receipt.objects.filter(pk=receipt.pk).exclude(state=State.SETTLED)
        open_ones.update(**content)
    else:
        _enter(entry)


def _price_row(price: list[str] | None) -> Any:
    """The row of the price, looked up within the statement."""
    if price is None:
        return None
    model_id, effective_from = price
    rows = ModelPrice.objects.filter(model__model_id=model_id, effective_from=effective_from)
    return Subquery(rows.order_by().values("pk")[:1])


def drain() -> int:
    """Enter what is on the disk into the database; how many entries. Raises DatabaseError."""
    return spool.drain(lambda entry: reconnected(lambda: _enter(entry)))


def _enter(entry: Entry) -> None:
    """An entry of the spool, once: what is there already is left, a duplicate is flagged."""
    fields = {field.attname: field for field in Receipt._meta.concrete_fields}
    content = {name: fields[name].to_python(value) for name, value in entry["receipt"].items()}
    with transaction.atomic():
        if not Account.objects.filter(pk=content["account_id"]).exists():
            _tell("has no account any more", entry, LookupError(content["account_id"]))
            return
        content["price_id"] = _price_key(entry["price"])
        receipt = Receipt(**content)
        earlier = _earlier(receipt)
        if earlier is None:
            receipt.save(force_insert=True)
        elif earlier.created_at != receipt.created_at:
            if not Receipt.objects.filter(duplicates=earlier, created_at=receipt.created_at):
                receipt.request_id, receipt.duplicates = uuid4(), earlier
                receipt.save(force_insert=True)
        elif entry["what"] == "settle" and earlier.state != State.SETTLED:
            Receipt.objects.filter(pk=earlier.pk).update(**content)


def _price_key(price: list[str] | None) -> int | None:
    if price is None:
        return None
    rows = ModelPrice.objects.filter(model__model_id=price[0], effective_from=price[1])
    return rows.values_list("pk", flat=True).first()


class _Draining:
    """One thread at a time, and a look at the disk a second."""

    lock = Lock()
    looked_s = 0.0


def _drain_soon() -> None:
    """The database has answered: what waits on the disk is entered, by a thread of its own."""
    now_s = time.monotonic()
    if now_s - _Draining.looked_s < _LOOKS_EVERY_S:
        return
    _Draining.looked_s = now_s
    if not spool.is_empty() and _Draining.lock.acquire(blocking=False):
        Thread(target=_drain_once, name="spool", daemon=True).start()


def _drain_once() -> None:
    try:
        count = drain()
        logger.info("%d entries of the spool are in the database.", count)
    except DatabaseError as error:
        logger.warning("The spool waits on: %s", error)
    finally:
        connection.close()
        _Draining.lock.release()


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
