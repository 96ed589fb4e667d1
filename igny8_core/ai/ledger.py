"""Writes the receipt of an AI call: one for each request id, however often it is recorded."""

from __future__ import annotations

import json
import logging
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import IntegrityError, connection, transaction

from igny8_core.ai.exceptions import OpenTransaction, ReceiptConflict, ReceiptNotWritten
from igny8_core.modules.usage.models import Receipt

logger = logging.getLogger(__name__)


def refuse_open_transaction() -> None:
    """Raises OpenTransaction where the caller's rollback would take the receipt with it.

    (A test case's own transaction is no caller's.)
    """
    if any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks):
        raise OpenTransaction


def record(receipt: Receipt) -> Receipt:
    """Write the receipt, or give back the one that was written before.

    Raises ReceiptConflict where its request id has a receipt with other content, and
    ReceiptNotWritten, with the whole receipt in the log, where it cannot be written.
    """
    try:
        return _write(receipt)
    except ReceiptConflict:
        raise
    except Exception as fault:
        facts = json.dumps(_facts(receipt), cls=DjangoJSONEncoder)
        logger.error("Receipt not written (%s): %s", fault, facts)  # noqa: TRY400 - see below
        # The traceback goes up with the error: a command shows its sentence alone.
        raise ReceiptNotWritten(str(receipt.request_id)) from fault


def _write(receipt: Receipt) -> Receipt:
    try:
        with transaction.atomic():
            receipt.save(force_insert=True)
    except IntegrityError:
        written = Receipt.objects.filter(request_id=receipt.request_id).first()
        if written is None:
            raise
        if _facts(written) != _facts(receipt):
            raise ReceiptConflict(str(receipt.request_id)) from None
        return written
    return receipt


def _facts(receipt: Receipt) -> dict[str, Any]:
    """Everything that was recorded but the row's own number and moment."""
    return {
        field.attname: getattr(receipt, field.attname)
        for field in Receipt._meta.concrete_fields
        if field.name not in {"id", "created_at"}
    }
