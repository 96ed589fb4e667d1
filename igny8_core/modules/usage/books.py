"""Opens and settles receipts: in the database, and on disk while the database is away.

```
open ──▶ database ─(away)─▶ a fresh connection ─(away)─▶ spool ─(unusable)─▶ refused, nothing sent
settle ─▶ database ─(away)─▶ a fresh connection ─(away)─▶ spool ─(unusable)─▶ the log, whole
```
"""

from __future__ import annotations

import logging
from typing import Any, Final, NoReturn
from uuid import UUID

from django.db import DatabaseError, IntegrityError
from django.db.models import Subquery

from igny8_core.modules.system.models import ModelPrice
from igny8_core.modules.usage import draining, spool
from igny8_core.modules.usage.connecting import (
    AWAY,
    in_callers_transaction,
    kept_apart,
    written,
)
from igny8_core.modules.usage.draining import earlier_of
from igny8_core.modules.usage.errors import (
    RequestConflict,
    RequestDone,
    RequestInProgress,
    SpoolUnusable,
)
from igny8_core.modules.usage.receipts import Receipt
from igny8_core.modules.usage.spool import Entry
from igny8_core.modules.usage.states import State
from igny8_core.pricing.prices import Price

logger = logging.getLogger(__name__)

# What this process has opened on the disk: the database may not know of it yet.
_beside: Final[dict[tuple[int, UUID], Receipt]] = {}
_MOST_BESIDE: Final = 1_000


def open_receipt(receipt: Receipt) -> None:
    """Reserved: the receipt is in the database, else on the disk. Raises before anything is sent.

    RequestConflict, RequestInProgress and RequestDone where the account has used its id before;
    SpoolUnusable; DatabaseError. One whose earlier try never reached a provider is opened again.
    """
    if in_callers_transaction():
        _open_beside(receipt)
        return
    try:
        written(lambda: _insert(receipt))
    except AWAY as error:
        logger.warning("Request %s is reserved in the spool: %s", receipt.request_id, error)
        _append_open(receipt)


def settle_receipt(receipt: Receipt, price: Price | None) -> None:
    """Settled, in the database, else on the disk, else in the log: it never fails."""
    entry = {
        "what": spool.SETTLE,
        "receipt": content_of(receipt),
        "price": price and [price.model_id, price.effective_from.isoformat()],
    }
    if in_callers_transaction():
        _spool(entry)
        draining.begin_soon()
        return
    try:
        written(lambda: _settle(receipt, entry))
    except AWAY as error:
        logger.warning("Request %s is settled in the spool: %s", receipt.request_id, error)
        _spool(entry)
    except DatabaseError as error:
        draining.tell("is not settled", entry, error)
    else:
        draining.begin_soon()


def _open_beside(receipt: Receipt) -> None:
    """On the disk, which the caller's rollback does not undo; a thread takes it from there."""
    earlier = earlier_of(receipt)
    if earlier is not None and (earlier.is_sent or earlier.arguments != receipt.arguments):
        _refuse(earlier, receipt)
    _append_open(receipt)


def _append_open(receipt: Receipt) -> None:
    """Raises what the id says of an earlier request of this process, and SpoolUnusable."""
    which = receipt.account_id, receipt.request_id
    earlier = _beside.get(which)
    if earlier is not None and (earlier.is_sent or earlier.arguments != receipt.arguments):
        _refuse(earlier, receipt)
    spool.append({"what": spool.OPEN, "receipt": content_of(receipt), "price": None})
    if len(_beside) >= _MOST_BESIDE:
        _beside.clear()
    _beside[which] = receipt


def _spool(entry: Entry) -> None:
    try:
        spool.append(entry)
    except SpoolUnusable as error:
        draining.tell("is settled nowhere", entry, error)


def content_of(receipt: Receipt) -> dict[str, Any]:
    """Every column but the row's number."""
    return {
        field.attname: getattr(receipt, field.attname)
        for field in Receipt._meta.concrete_fields
        if not field.primary_key
    }


def _insert(receipt: Receipt) -> None:
    try:
        with kept_apart():
            receipt.save(force_insert=True)
    except IntegrityError:
        earlier = earlier_of(receipt)
        if earlier is None:
            raise
        if earlier.created_at == receipt.created_at:  # our own, whose answer was lost on its way
            receipt.pk = earlier.pk
        else:
            receipt.pk = _opened_again(earlier, receipt)
        receipt._state.adding = False
    receipt.__dict__["_opened"] = content_of(receipt)


def _opened_again(earlier: Receipt, receipt: Receipt) -> int:
    """Its number, where it was settled without anything having been sent."""
    if earlier.is_sent:
        _refuse(earlier, receipt)
    again = {
        name: value
        for name, value in content_of(receipt).items()
        if name not in {"account_id", "request_id"}
    }
    never_sent = Receipt.objects.filter(pk=earlier.pk, state=State.SETTLED, is_sent=False)
    if earlier.arguments != receipt.arguments or not never_sent.update(**again):
        _refuse(earlier, receipt)
    return earlier.pk


def _refuse(earlier: Receipt, receipt: Receipt) -> NoReturn:
    request_id = str(receipt.request_id)
    if earlier.pk is not None:
        earlier.refresh_from_db()
    if earlier.arguments != receipt.arguments:
        raise RequestConflict(request_id)
    if earlier.state == State.OPEN:
        raise RequestInProgress(request_id)
    raise RequestDone(request_id, earlier)


def _settle(receipt: Receipt, entry: Entry) -> None:
    """One statement, of what has changed since the receipt was opened in the database."""
    opened = receipt.__dict__.get("_opened", {})
    content = {
        name: value for name, value in entry["receipt"].items() if opened.get(name, ...) != value
    }
    content["price_id"] = _price_row(entry["price"])
    if not receipt._state.adding:
        open_ones = Receipt.objects.filter(pk=receipt.pk).exclude(state=State.SETTLED)
        with kept_apart():
            open_ones.update(**content)
    else:
        draining.enter(entry)


def _price_row(price: tuple[str, str] | None) -> Any:
    """The row of the price, looked up within the statement."""
    if price is None:
        return None
    return Subquery(ModelPrice.rows_of(*price).values("pk")[:1])
