from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

import pytest
from django.core import serializers
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.db.models import Sum
from hypothesis import given
from hypothesis import strategies as st

from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.money import UsdField
from igny8_core.modules.usage.models import Receipt
from igny8_core.modules.usage.states import OK


def receipt(account: Account, **facts: object) -> Receipt:
    return Receipt(
        **{
            "request_id": uuid4(),
            "account": account,
            "task": "generate_content",
            "model_asked": "gpt-4o",
            "provider": "openai",
            "reason": "PINNED",
            "latency_ms": 5,
            "status": OK,
            "cost": Decimal("0.1"),
            **facts,
        }
    )


@pytest.mark.parametrize(
    "amount",
    ["0", "0.000000000001", "1234567.890123456789", "9223372.036854775807"],
)
def test_cost__any_twelve_decimals__comes_back_exactly(acme: Account, amount: str) -> None:
    row = receipt(acme, cost=Decimal(amount))
    row.save()
    row.refresh_from_db()
    assert row.cost == Decimal(amount)
    assert Receipt.objects.filter(cost=Decimal(amount)).exists()  # type: ignore[misc]
    assert Receipt.objects.aggregate(total=Sum("cost"))["total"] == Decimal(amount)


@given(st.decimals(min_value=0, max_value=9_000_000, places=12))
def test_usd_field__any_amount__survives_the_round_trip(amount: Decimal) -> None:
    field = UsdField()
    assert field.from_db_value(field.get_prep_value(amount)) == amount


@pytest.mark.parametrize("amount", ["9223372.036854775808", "-9223372.036854775809", "1E+40"])
def test_usd_field__more_than_the_column_holds__is_refused(amount: str) -> None:
    with pytest.raises(ValidationError, match=r"over 9\.2 million"):
        UsdField().get_prep_value(Decimal(amount))


def test_usd_field__thirteenth_decimal__is_refused() -> None:
    with pytest.raises(ValidationError, match="more than 12 decimals"):
        UsdField().get_prep_value(Decimal("0.0000000000001"))


@pytest.mark.parametrize("value", ["abc", "", "1,5"])
def test_usd_field__not_an_amount__is_refused(value: str) -> None:
    with pytest.raises(ValidationError, match="is not an amount"):
        UsdField().to_python(value)


@pytest.mark.parametrize("value", ["NaN", "Infinity"])
def test_usd_field__not_finite__is_refused(value: str) -> None:
    with pytest.raises(ValidationError, match="is not an amount"):
        UsdField().to_python(Decimal(value))


def test_receipt__dumped_and_loaded__is_the_same(acme: Account) -> None:
    row = receipt(acme, cost=Decimal("0.000000123456"))
    row.save()
    text = serializers.serialize("json", [row])
    (loaded,) = serializers.deserialize("json", text)
    assert isinstance(loaded.object, Receipt)
    assert loaded.object.cost == Decimal("0.000000123456")


@pytest.mark.parametrize(
    ("status", "cost"), [("ok", None), ("provider_timeout", Decimal(-1)), ("ok", Decimal(-1))]
)
def test_receipt__cost_and_status_disagree__the_database_refuses(
    acme: Account, status: str, cost: Decimal | None
) -> None:
    with pytest.raises(IntegrityError, match="receipt_has_a_cost_when_ok"):
        receipt(acme, status=status, cost=cost).save()


def test_receipt__printed__names_the_call(acme: Account) -> None:
    assert "acme generate_content gpt-4o ok" in str(receipt(acme))
