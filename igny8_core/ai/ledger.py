"""Writes the receipt of an AI request: one for each request id, however often it is recorded."""

from __future__ import annotations

import json
import logging
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import IntegrityError, connection, transaction
from prometheus_client import Counter

from igny8_core.ai.attempts import Attempt
from igny8_core.ai.errors import OpenTransaction, ReceiptConflict, ReceiptNotWritten
from igny8_core.ai.providers.base import Content, ProviderAnswer
from igny8_core.ai.providers.errors import ProviderError
from igny8_core.ai.providers.usage import Usage
from igny8_core.ai.resolution import Resolution
from igny8_core.catalogue.billing import Bill
from igny8_core.errors import AIError
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.models import ModelPrice
from igny8_core.modules.usage.models import Receipt
from igny8_core.modules.usage.receipts import INTERRUPTED, OK, UNMETERED, UNPRICED
from igny8_core.pricing import quotes
from igny8_core.pricing.conditions import STANDARD
from igny8_core.pricing.meters import Meter
from igny8_core.pricing.money import DECIMALS
from igny8_core.pricing.prices import Price, billable
from igny8_core.pricing.quotes import Quote, charge_of
from igny8_core.tasks.prompts import ActivePrompt

logger = logging.getLogger(__name__)

UNKNOWN_NAMES = Counter(
    "igny8_unknown_model_names", "Answers of models by names that nobody knows.", ["provider"]
)
_NOTE = Receipt._meta.get_field("usage_note").max_length


def refuse_open_transaction() -> None:
    """Raises OpenTransaction where the caller's rollback would take the receipt with it."""
    if len(connection.atomic_blocks) > settings.AI_TEST_CASE_TRANSACTIONS:
        raise OpenTransaction


def settle(
    account: Account, resolution: Resolution, prompt: ActivePrompt, attempt: Attempt[Content]
) -> Receipt:
    """Price what the attempt took, and record the receipt of the request. Raises as record()."""
    answer, request_id = attempt.answer, uuid4()
    failure = attempt.error.code if isinstance(attempt.error, ProviderError) else INTERRUPTED
    status, quote, note, is_name_known = failure, None, "", True
    if answer is not None:
        bill = resolution.bill(answer.model_served)
        metering, quote, note = _priced(request_id, answer, resolution, bill)
        status = metering if attempt.error is None else failure
        is_name_known = bill.is_name_known
        if not is_name_known:
            UNKNOWN_NAMES.labels(attempt.provider).inc()
    usage = Usage(None, None) if answer is None else answer.usage
    meters = usage.meters or {}
    markup = None if answer is None else resolution.markup
    reported = usage.cost_reported
    cost = quote.cost if quote is not None and reported is None else reported
    receipt = Receipt(
        request_id=request_id,
        account=account,
        task=resolution.task,
        model_asked=resolution.model.model_id,
        model_served="" if answer is None else answer.model_served,
        provider=attempt.provider,
        replaces=resolution.replaces or "",
        reason=resolution.reason,
        account_facts=resolution.account_facts,
        revision=resolution.revision,
        flag=resolution.flag or "",
        rule=resolution.rule or "",
        variant=resolution.variant or "",
        prompt=prompt.origin,
        prompt_version=prompt.version,
        meters={str(meter): quantity for meter, quantity in meters.items()},
        context={} if answer is None else (answer.context or STANDARD).to_json(),
        usage_block=usage.text,
        usage_note=f"{usage.note} {note}".strip()[:_NOTE],
        is_name_known=is_name_known,
        input_tokens=meters.get(Meter.INPUT_TOKENS),
        output_tokens=meters.get(Meter.OUTPUT_TOKENS),
        images=meters.get(Meter.IMAGES),
        markup_percent=None if markup is None else markup.percent,
        markup_by="" if markup is None else f"{markup.reason} {markup.rule or ''}".strip(),
        model_priced="" if quote is None else quote.model_id,
        lines=[] if quote is None else [line.to_json() for line in quote.lines],
        cost=cost,
        cost_computed=None if quote is None else quote.cost,
        cost_reported=reported,
        charge=None if markup is None else _charge(cost, markup.percent),
        latency_ms=attempt.latency_ms,
        status=status,
    )
    return record(receipt, price=None if quote is None else quote.price)


def _priced(
    request_id: UUID, answer: ProviderAnswer[Content], resolution: Resolution, bill: Bill
) -> tuple[str, Quote | None, str]:
    """The receipt's status, what the answer took, and a note."""
    if answer.usage.meters is None:
        return UNMETERED, None, ""
    if bill.price is None:
        logger.warning("%s has no cost: %s", request_id, bill.note)
        return UNPRICED, None, bill.note
    context = (answer.context or STANDARD).as_billed(resolution.provider.standard_tiers)
    try:
        meters = billable(bill.price, answer.usage.meters)
        quote = quotes.quote(bill.price, meters, at=resolution.at, context=context)
    except AIError as error:
        logger.error("%s has no cost: %s", request_id, error)  # noqa: TRY400 - it says it
        return UNPRICED, None, f"{bill.note} {error}".strip()
    return OK, quote, bill.note


def _charge(cost: Decimal | None, markup_percent: Decimal) -> Decimal | None:
    """Rounded once, to the twelve decimals that a receipt keeps."""
    return None if cost is None else round(charge_of(cost, markup_percent), DECIMALS)


def record(receipt: Receipt, *, price: Price | None = None) -> Receipt:
    """Write the receipt, with the row of its price, or give back the one that was written before.

    Raises ReceiptConflict where its request id has a receipt with other content, and
    ReceiptNotWritten, with the whole receipt in the log, where it cannot be written.
    """
    try:
        if price is not None:
            receipt.price_id = ModelPrice.key_of(price)
        return _write(receipt)
    except ReceiptConflict:
        raise
    except Exception as fault:
        content = json.dumps(_content(receipt), cls=DjangoJSONEncoder)
        logger.error("Receipt not written (%s): %s", fault, content)  # noqa: TRY400 - see below
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
        if _content(written) != _content(receipt):
            raise ReceiptConflict(str(receipt.request_id)) from None
        return written
    return receipt


def _content(receipt: Receipt) -> dict[str, Any]:
    """Everything that was recorded but the row's own number and moment."""
    return {
        field.attname: getattr(receipt, field.attname)
        for field in Receipt._meta.concrete_fields
        if field.name not in {"id", "created_at"}
    }
