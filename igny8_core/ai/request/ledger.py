"""The receipt of a request: reserved before anything is sent, settled by what was tried."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.utils import timezone
from prometheus_client import Counter

from flags.host import has_open_changes
from igny8_core.ai.errors import OpenTransaction
from igny8_core.ai.providers.base import Content, ProviderAnswer
from igny8_core.ai.providers.errors import ProviderError, ProviderUnreachable
from igny8_core.ai.providers.usage import Usage
from igny8_core.ai.request.answers import Attempt, Ready
from igny8_core.ai.resolution import Resolution
from igny8_core.catalogue.billing import Bill
from igny8_core.catalogue.names import OFFLINE
from igny8_core.errors import AIError
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.usage import books
from igny8_core.modules.usage.connecting import in_callers_transaction
from igny8_core.modules.usage.models import Receipt
from igny8_core.modules.usage.states import (
    INTERRUPTED,
    OK,
    PENDING,
    UNMETERED,
    UNPRICED,
    State,
)
from igny8_core.pricing import quotes
from igny8_core.pricing.conditions import STANDARD
from igny8_core.pricing.meters import Meter
from igny8_core.pricing.money import DECIMALS, money_text
from igny8_core.pricing.prices import billable
from igny8_core.pricing.quotes import Quote, charge_of
from igny8_core.tasks.prompts import ActivePrompt

logger = logging.getLogger(__name__)

UNKNOWN_NAMES = Counter(
    "igny8_unknown_model_names", "Answers of models by names that nobody knows.", ["provider"]
)
_NOTE: Final[int] = Receipt._meta.get_field("usage_note").max_length or 0


def refuse_open_transaction() -> None:
    """Raises OpenTransaction where a rollback would take away what decides: rules, or the account.

    In any other transaction the receipt is written beside it.
    """
    if in_callers_transaction() and has_open_changes():
        raise OpenTransaction


def opened(  # noqa: PLR0913 - each by keyword
    request_id: UUID,
    account: Account,
    ready: Ready,
    prompt: ActivePrompt,
    *,
    arguments: str,
    asked: Mapping[str, Any],
    run: str,
) -> Receipt:
    """Reserve the request. Raises as `books.open_receipt`."""
    resolution = ready.resolution
    receipt = Receipt(
        request_id=request_id,
        account=account,
        state=State.OPEN,
        status=PENDING,
        arguments=arguments,
        is_spend=ready.provider.name != OFFLINE,
        run=run,
        asked=asked,
        refused=dict(resolution.refused),
        task=resolution.task,
        model_asked=resolution.model.model_id,
        provider=ready.provider.name,
        replaces=resolution.replaces or "",
        reason=resolution.reason,
        account_facts=resolution.account_facts,
        revision=resolution.revision,
        flag=resolution.flag or "",
        rule=resolution.rule or "",
        variant=resolution.variant or "",
        prompt=prompt.origin,
        prompt_version=prompt.version,
        parameters=dict(ready.parameters),
    )
    books.open_receipt(receipt)
    return receipt


def settled(receipt: Receipt, tried: Sequence[Attempt[Content]]) -> None:
    """Price what the last attempt took, and settle the receipt; it never fails."""
    last = tried[-1]
    answer, resolution = last.answer, last.ready.resolution
    quote, note = None, ""
    receipt.status = _failure(last.error)
    if answer is not None:
        bill = resolution.bill(answer.model_served)
        metering, quote, note = _priced(receipt.request_id, answer, resolution, bill)
        receipt.status = metering if last.error is None else receipt.status
        receipt.is_name_known = bill.is_name_known or not answer.model_served
        if not receipt.is_name_known:
            UNKNOWN_NAMES.labels(last.ready.provider.name).inc()
    _fill(receipt, last, quote, note)
    receipt.state, receipt.settled_at = State.SETTLED, timezone.now()
    receipt.latency_ms = sum(attempt.latency_ms for attempt in tried)
    receipt.is_sent = any(_was_sent(attempt) for attempt in tried)
    receipt.attempts = [_told(attempt) for attempt in tried]
    receipt.attempts[-1]["cost"] = None if receipt.cost is None else money_text(receipt.cost)
    books.settle_receipt(receipt, None if quote is None else quote.price)


def _fill(receipt: Receipt, last: Attempt[Content], quote: Quote | None, note: str) -> None:
    """What the attempt took and costs."""
    answer, resolution = last.answer, last.ready.resolution
    usage = Usage(None, None) if answer is None else answer.usage
    meters = usage.meters or {}
    receipt.provider = last.ready.provider.name
    receipt.parameters = dict(last.ready.parameters)
    receipt.model_served = "" if answer is None else answer.model_served
    receipt.meters = {str(meter): quantity for meter, quantity in meters.items()}
    receipt.context = {} if answer is None else (answer.context or STANDARD).to_json()
    receipt.usage_block = usage.text
    receipt.usage_note = f"{usage.note} {note}".strip()[:_NOTE]
    receipt.input_tokens = meters.get(Meter.INPUT_TOKENS)
    receipt.output_tokens = meters.get(Meter.OUTPUT_TOKENS)
    receipt.images = meters.get(Meter.IMAGES)
    receipt.cost_reported = usage.cost_reported
    if quote is not None:
        receipt.model_priced = quote.model_id
        receipt.lines = [line.to_json() for line in quote.lines]
        receipt.cost_computed = quote.cost
    cost = receipt.cost_computed if receipt.cost_reported is None else receipt.cost_reported
    receipt.cost = cost
    receipt.is_spend = receipt.provider != OFFLINE
    if answer is not None:
        markup = resolution.markup
        receipt.markup_percent = markup.percent
        receipt.markup_by = f"{markup.reason} {markup.rule or ''}".strip()
        is_charged = receipt.is_spend and last.error is None  # else the platform pays
        receipt.charge = _charge(cost, markup.percent) if is_charged else Decimal(0)


def _failure(error: BaseException | None) -> str:
    return error.code if isinstance(error, AIError) else INTERRUPTED


def _was_sent(attempt: Attempt[Content]) -> bool:
    error = attempt.error
    if not attempt.was_begun or isinstance(error, ProviderUnreachable):
        return attempt.was_begun and getattr(error, "was_sent", True)
    return isinstance(error, ProviderError) or not isinstance(error, AIError)


def _told(attempt: Attempt[Content]) -> dict[str, Any]:
    """The attempt as JSON, without sentences: a provider's may quote the prompt."""
    error = attempt.error
    return {
        "model": attempt.ready.resolution.model.model_id,
        "provider": attempt.ready.provider.name,
        "status": OK if error is None else _failure(error),
        "http_status": getattr(error, "http_status", None),
        "latency_ms": attempt.latency_ms,
        "cost": None,
    }


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
