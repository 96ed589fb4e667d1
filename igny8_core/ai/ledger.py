"""Writes the receipt of an AI call: one for each request id, however often it is recorded."""

from __future__ import annotations

import json
import logging
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import Error as DatabaseFault
from django.db import IntegrityError, transaction

from igny8_core.ai.exceptions import ReceiptConflict, ReceiptNotWritten
from igny8_core.modules.usage.models import Receipt

logger = logging.getLogger(__name__)


def record(receipt: Receipt) -> Receipt:
    """Write the receipt, or give back the one that was written before.

    Raises ReceiptConflict where its request id has a receipt with other content, and
    ReceiptNotWritten, with the whole receipt in the log, where the database refuses it.
    """
    try:
        with transaction.atomic():
            receipt.save(force_insert=True)
    except DatabaseFault as fault:
        written = _written_before(receipt) if isinstance(fault, IntegrityError) else None
        if written:
            return written
        facts = json.dumps(_facts(receipt), cls=DjangoJSONEncoder)
        logger.exception("Receipt not written: %s", facts)
        raise ReceiptNotWritten(str(receipt.request_id)) from fault
    return receipt


def _written_before(receipt: Receipt) -> Receipt | None:
    written = Receipt.objects.filter(request_id=receipt.request_id).first()
    if written and _facts(written) != _facts(receipt):
        raise ReceiptConflict(str(receipt.request_id))
    return written


def _facts(receipt: Receipt) -> dict[str, Any]:
    """Everything that was recorded but the row's own number and moment."""
    return {
        field.attname: getattr(receipt, field.attname)
        for field in Receipt._meta.concrete_fields
        if field.name not in {"id", "created_at"}
    }
