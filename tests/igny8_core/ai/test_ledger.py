from __future__ import annotations

import json
import logging
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError, connection

from igny8_core.ai import ledger
from igny8_core.ai.attempts import Attempt
from igny8_core.ai.errors import ReceiptConflict, ReceiptNotWritten
from igny8_core.ai.providers.base import ProviderAnswer
from igny8_core.ai.providers.usage import Usage
from igny8_core.ai.resolver import resolve
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.usage.models import Receipt
from igny8_core.modules.usage.receipts import OK
from igny8_core.pricing.meters import Meter
from igny8_core.tasks.prompts import ActivePrompt, PromptOrigin


def receipt(account: Account, request_id: UUID, cost: str = "0.25") -> Receipt:
    return Receipt(
        request_id=request_id,
        account=account,
        task="generate_content",
        model_asked="gpt-4o",
        model_served="gpt-4o",
        provider="openai",
        reason="PINNED",
        input_tokens=1,
        output_tokens=2,
        latency_ms=5,
        status=OK,
        cost=Decimal(cost),
    )


def test_record__once__writes_it(acme: Account) -> None:
    written = ledger.record(receipt(acme, uuid4()))
    assert Receipt.objects.get() == written


def test_record__twice__writes_one(acme: Account) -> None:
    request_id = uuid4()
    first = ledger.record(receipt(acme, request_id))
    second = ledger.record(receipt(acme, request_id))
    assert (second, second.created_at) == (first, first.created_at)
    assert Receipt.objects.count() == 1


def test_record__same_request_other_content__is_a_conflict(acme: Account) -> None:
    request_id = uuid4()
    ledger.record(receipt(acme, request_id))
    with pytest.raises(ReceiptConflict, match=str(request_id)):
        ledger.record(receipt(acme, request_id, cost="0.26"))
    assert Receipt.objects.get().cost == Decimal("0.25")


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_record__database_refuses__the_log_has_all_of_it(
    acme: Account, caplog: pytest.LogCaptureFixture
) -> None:
    request_id = uuid4()
    with connection.schema_editor() as editor:
        editor.alter_db_table(Receipt, "usage_receipt", "usage_receipt_away")
    try:
        with caplog.at_level(logging.ERROR), pytest.raises(ReceiptNotWritten):
            ledger.record(receipt(acme, request_id))
    finally:
        with connection.schema_editor() as editor:
            editor.alter_db_table(Receipt, "usage_receipt_away", "usage_receipt")
    (line,) = [record.getMessage() for record in caplog.records if "Receipt" in record.message]
    for fact in (str(request_id), "gpt-4o", '"0.25"', "generate_content"):
        assert fact in line


def test_settle__database_away_after_the_answer__the_log_has_the_receipt(
    acme: Account, caplog: pytest.LogCaptureFixture
) -> None:
    def away(_execute: object, _sql: str, *_rest: object) -> object:
        raise OperationalError("gone")

    resolution = resolve(acme, "generate_content")
    meters = {Meter.INPUT_TOKENS: 1_000, Meter.OUTPUT_TOKENS: 500}
    answer = ProviderAnswer("text", "gpt-4o-mini", Usage({}, meters))
    prompt = ActivePrompt(PromptOrigin.BUILT_IN, None, "")
    with connection.execute_wrapper(away), pytest.raises(ReceiptNotWritten):
        ledger.settle(acme, resolution, prompt, Attempt("openai", 5, answer))
    (line,) = (each.message for each in caplog.records if "Receipt not written" in each.message)
    told = json.loads(line[line.index("{") :])
    assert (told["status"], told["cost"], told["meters"]["input_tokens"]) == (
        "ok",
        "0.000450000000",
        1_000,
    )
