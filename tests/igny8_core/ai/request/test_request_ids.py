"""One id is one request of an account: it is sent once, and again it is told what came of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from pytest_httpserver import HTTPServer

from igny8_core.ai.ai_core import AICore
from igny8_core.ai.errors import InvalidRequestId
from igny8_core.ai.providers.base import Connection
from igny8_core.ai.providers.errors import ProviderUnreachable
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.usage import draining
from igny8_core.modules.usage.errors import RequestConflict, RequestDone, RequestInProgress
from igny8_core.modules.usage.models import Receipt
from igny8_core.modules.usage.states import State

pytestmark = pytest.mark.django_db

TASK = "generate_content"


def test_request__the_same_again__is_not_sent_and_the_receipt_is_told(acme: Account) -> None:
    request_id = uuid4()
    first = AICore(acme).run_ai_request(TASK, "About tyres.", request_id=request_id)
    assert first.request_id == request_id
    with pytest.raises(RequestDone, match=str(request_id)) as caught:
        AICore(acme).run_ai_request(TASK, "About tyres.", request_id=str(request_id))
    assert caught.value.receipt == Receipt.objects.get()


@pytest.mark.parametrize(
    "other",
    [
        lambda core, which: core.run_ai_request(TASK, "About chains.", request_id=which),
        lambda core, which: core.run_ai_request("auto_cluster", "About tyres.", request_id=which),
        lambda core, which: core.run_ai_request(
            TASK, "About tyres.", request_id=which, parameters={"temperature": 0.1}
        ),
        lambda core, which: core.run_ai_request(
            TASK, "About tyres.", request_id=which, model="gpt-4o"
        ),
        lambda core, which: core.generate_image("About tyres.", model="dall-e-3", request_id=which),
    ],
)
def test_request__with_the_same_id_and_other_arguments__is_a_conflict(
    acme: Account, other: Callable[[AICore, UUID], object]
) -> None:
    request_id = uuid4()
    AICore(acme).run_ai_request(TASK, "About tyres.", request_id=request_id)
    with pytest.raises(RequestConflict):
        other(AICore(acme), request_id)
    assert Receipt.objects.count() == 1


def test_request__of_another_account__may_have_the_same_id(acme: Account, bolt: Account) -> None:
    request_id = uuid4()
    for account in (acme, bolt):
        AICore(account).run_ai_request(TASK, "x", request_id=request_id)
    assert Receipt.objects.filter(request_id=request_id).count() == 2


def test_request__that_is_under_way__is_told_so_until_it_is_closed(acme: Account) -> None:
    request_id = uuid4()
    AICore(acme).run_ai_request(TASK, "x", request_id=request_id)
    Receipt.objects.update(state=State.OPEN, status="pending", cost=None)
    with pytest.raises(RequestInProgress):
        AICore(acme).run_ai_request(TASK, "x", request_id=request_id)
    assert draining.close(older_than=timedelta(0)).closed == 1
    receipt = Receipt.objects.get()
    assert (receipt.state, receipt.status, receipt.cost) == ("unknown", "pending", None)
    with pytest.raises(RequestDone):
        AICore(acme).run_ai_request(TASK, "x", request_id=request_id)


def test_request__that_was_never_sent__may_run_again(acme: Account, httpserver: HTTPServer) -> None:
    request_id = uuid4()
    nowhere = {"openai": Connection("sk-1", "http://127.0.0.1:1/v1")}
    with pytest.raises(ProviderUnreachable):
        AICore(acme, connections=nowhere).run_ai_request(TASK, "x", request_id=request_id)
    answer = AICore(acme).run_ai_request(TASK, "x", request_id=request_id)
    receipt = Receipt.objects.get()
    assert (receipt.request_id, receipt.status, receipt.state) == (request_id, "ok", "settled")
    assert receipt.cost == answer.cost


@pytest.mark.parametrize("request_id", ["", "x", 7, b"x"])
def test_request_id__that_is_none__is_refused(acme: Account, request_id: object) -> None:
    with pytest.raises(InvalidRequestId):
        AICore(acme).run_ai_request(TASK, "x", request_id=request_id)  # type: ignore[arg-type]
    assert not Receipt.objects.exists()


def test_offline_answer__has_a_cost_and_no_charge_and_is_no_spend(acme: Account) -> None:
    answer = AICore(acme).run_ai_request(TASK, "x")
    receipt = Receipt.objects.get()
    assert (receipt.cost, receipt.charge, receipt.is_spend) == (
        answer.cost,
        Decimal(0),
        False,
    )
    assert answer.cost
