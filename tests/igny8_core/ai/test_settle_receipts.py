"""What had no cost when it was answered gets one later, once, and the receipt stays."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.models import AIModel, AIProvider, ModelAlias
from igny8_core.modules.usage import reports
from igny8_core.modules.usage.models import Adjustment, Receipt
from tests.conftest import Manage

pytestmark = pytest.mark.django_db

BLOCK = {"prompt_tokens": 1_000, "completion_tokens": 500, "total_tokens": 1_500}


def receipt(account: Account, **said: Any) -> Receipt:
    row = {
        "request_id": uuid4(),
        "account": account,
        "task": "generate_content",
        "model_asked": "gpt-4o-mini",
        "model_served": "mini-of-tomorrow",
        "provider": "openai",
        "reason": "TYPE_DEFAULT",
        "prompt": "built-in",
        "meters": {"input_tokens": 1_000, "output_tokens": 500},
        "usage_block": json.dumps(BLOCK),
        "markup_percent": Decimal(10),
        "latency_ms": 20,
        "status": "unpriced",
    }
    return Receipt.objects.create(**{**row, **said})


@pytest.fixture
def acme(manage: Manage) -> Account:
    """Of the demo data, which has receipts with a cost alone."""
    return Account.objects.by_key("acme")


@pytest.fixture
def waiting(acme: Account) -> Receipt:
    AIProvider.objects.filter(name="openai").update(prices_unknown=False)
    return receipt(acme)


def know(name: str = "mini-of-tomorrow") -> None:
    model = AIModel.objects.get(model_id="gpt-4o-mini")
    begins = timezone.now() - timedelta(days=40)
    ModelAlias.objects.create(name=name, model=model, effective_from=begins)


def test_name__that_is_known_later__is_settled_once_and_the_receipt_stays(
    manage: Manage, waiting: Receipt
) -> None:
    told = manage("settle_receipts")
    assert "“mini-of-tomorrow” is no known model." in told.stdout
    assert "0 settled, 1 not." in told.stdout
    know()
    assert "1 could be settled, 0 not." in manage("settle_receipts", "--dry-run").stdout
    assert not Adjustment.objects.exists()
    assert "1 settled, 0 not." in manage("settle_receipts").stdout
    assert "0 settled, 0 not." in manage("settle_receipts").stdout
    entry = Adjustment.objects.get()
    assert (entry.cost, entry.charge) == (Decimal("0.00045"), Decimal("0.000495"))
    assert entry.price is not None
    assert [line["meter"] for line in entry.lines] == ["input_tokens", "output_tokens"]
    waiting.refresh_from_db()
    assert (waiting.status, waiting.cost, waiting.charge) == ("unpriced", None, None)


def test_unmetered__is_read_again_from_its_block(manage: Manage, acme: Account) -> None:
    beside = {
        **BLOCK,
        "completion_tokens_details": {"reasoning_tokens": 94},
        "total_tokens": 1_594,
    }
    receipt(
        acme,
        model_served="gpt-4o-mini",
        status="unmetered",
        meters={},
        usage_block=json.dumps(beside),
    )
    assert "1 settled, 0 not." in manage("settle_receipts").stdout
    assert Adjustment.objects.get().meters["output_tokens"] == 594


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"usage_block": ""}, "No usage block is kept"),
        ({"usage_block": json.dumps({**BLOCK, "prompt_tokens": None})}, "has no prompt_tokens"),
    ],
)
def test_unmetered__that_says_no_more_than_before__stays(
    manage: Manage, acme: Account, said: dict[str, str], why: str
) -> None:
    receipt(acme, model_served="gpt-4o-mini", status="unmetered", meters={}, **said)
    (told,) = json.loads(manage("settle_receipts", "--json").stdout)
    assert why in told["why_not"]
    assert told["cost"] == ""


def test_service_tier__that_the_provider_bills_as_standard_from_now_on__is_settled(
    manage: Manage, acme: Account
) -> None:
    receipt(acme, model_served="gpt-4o-mini", context={"processing": "on_demand"})
    assert "0 settled, 1 not." in manage("settle_receipts").stdout
    AIProvider.objects.filter(name="openai").update(standard_tiers="on_demand")
    assert "1 settled, 0 not." in manage("settle_receipts").stdout


def test_name__of_a_model_of_another_type__is_not_billed_by_its_price(
    manage: Manage, waiting: Receipt
) -> None:
    """As when the answer came: an embedding's price would take its input alone."""
    AIModel.objects.create(
        model_id="vectors",
        display_name="x",
        provider="openai",
        model_type="embedding",
        input_rate=1,
        output_rate=0,
    )
    Receipt.objects.filter(pk=waiting.pk).update(
        model_served="vectors", meters={"input_tokens": 1_000}
    )
    assert "“vectors” has no price of a text model." in manage("settle_receipts").stdout


def test_span__of_calls__is_from_and_to(manage: Manage, waiting: Receipt) -> None:
    know()
    Receipt.objects.update(created_at=timezone.now() - timedelta(days=10))
    day = timezone.now() - timedelta(days=9)
    assert "0 settled" in manage("settle_receipts", "--from", day.isoformat()).stdout
    assert "1 settled" in manage("settle_receipts", "--to", day.isoformat()).stdout


def test_month__has_what_was_found_out_later(manage: Manage, waiting: Receipt) -> None:
    know()
    now = timezone.now()
    before = reports.month(now.year, now.month)[0]
    manage("settle_receipts")
    after = reports.month(now.year, now.month)[0]
    assert (before.without_cost, before.cost) == (1, Decimal(0))
    assert (after.without_cost, after.cost, after.charge) == (
        0,
        Decimal("0.00045"),
        Decimal("0.000495"),
    )


def test_page__of_a_receipt__shows_its_adjusting_entry(
    manage: Manage, waiting: Receipt, admin_client: Client
) -> None:
    know()
    manage("settle_receipts")
    page = admin_client.get(f"/admin/usage/receipt/{waiting.pk}/change/")
    assert "0.00045" in page.content.decode()
