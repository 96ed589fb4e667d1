"""The list of receipts: no page of it looks at all of them."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from igny8_core.modules.accounts.models import Account
from tests.igny8_core.modules.test_usage import receipt

LIST = "/admin/usage/receipt/"


@pytest.fixture
def _two(acme: Account, bolt: Account) -> None:
    receipt(acme, request_id=UUID(int=7), run="run-7").save()
    receipt(
        bolt, request_id=UUID(int=8), run="acme's", task="auto_cluster", status="timeout"
    ).save()


ASKED = {
    "": 2,
    f"q={UUID(int=7)}": 1,
    "q=acme": 1,
    "q=run-7": 1,
    "q=gpt-4o": 0,
    "account=bolt": 1,
    "task=auto_cluster": 1,
    "status=timeout": 1,
    "model=gpt": 0,
    "provider=openai": 2,
    "state__exact=open": 0,
}


@pytest.mark.usefixtures("_two")
@pytest.mark.parametrize("asked", ASKED)
def test_list__however_it_is_filtered__counts_up_to_a_bound(
    admin_client: Client, asked: str
) -> None:
    with CaptureQueriesContext(connection) as queries:
        page = admin_client.get(f"{LIST}?{asked}")
    assert len(page.context["cl"].result_list) == ASKED[asked]
    told = [query["sql"] for query in queries if "usage_receipt" in query["sql"]]
    assert len(told) == 2
    assert "COUNT(*) FROM (SELECT" in told[0]
    assert "LIMIT 10000)" in told[0]
    assert not any("DISTINCT" in sql or "LIKE" in sql for sql in told)


def test_page__of_a_receipt_without_an_adjusting_entry__shows_none(
    admin_client: Client, acme: Account
) -> None:
    """A blank row for the next one has the moment of now, as if an entry had been written."""
    row = receipt(acme, request_id=UUID(int=9))
    row.save()
    (adjustments,) = admin_client.get(f"{LIST}{row.pk}/change/").context["inline_admin_formsets"]
    assert len(adjustments.formset.forms) == 0
