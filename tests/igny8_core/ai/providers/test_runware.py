"""Runware over real HTTP, against a server that answers as it does."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Coroutine, Iterator
from decimal import Decimal
from typing import Any

import pytest
from constance import config
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from igny8_core.ai.ai_core import AICore
from igny8_core.ai.providers import network
from igny8_core.ai.providers.base import Connection, EmbeddingRequest, Image, TextRequest
from igny8_core.ai.providers.errors import (
    ProviderAnswerInvalid,
    ProviderCannot,
    ProviderContentRefused,
    ProviderError,
    ProviderFailed,
    ProviderKeyRefused,
    ProviderModelUnknown,
    ProviderRateLimited,
    ProviderRequestRefused,
    ProviderTimeout,
    ProviderUnreachable,
)
from igny8_core.ai.providers.runware.client import RunwareProvider
from igny8_core.ai.request.answers import Answer
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.usage.models import Receipt
from tests.igny8_core.ai.providers.failing import assert_fails, one_attempt

__all__ = ["one_attempt"]

pytestmark = pytest.mark.django_db

KEY = "rw-planted-0123456789"
MODEL = "runware:97@1"


@pytest.fixture
def httpserver() -> Iterator[HTTPServer]:
    with HTTPServer(host="127.0.0.1", threaded=True) as server:
        yield server


def ask(account: Account, url: str, **options: Any) -> Answer[tuple[Image, ...]]:
    core = AICore(account, connections={"runware": Connection(KEY, url)})
    return core.generate_image("A tyre.", model=MODEL, **options)


def drawn(*costs: Any) -> dict[str, Any]:
    return {
        "data": [
            {
                "taskType": "imageInference",
                "imageURL": f"https://im.runware.example/{number}.jpg",
                **({} if cost is None else {"cost": cost}),
            }
            for number, cost in enumerate(costs)
        ]
    }


def answer_with(server: HTTPServer, body: Any, status: int = 200) -> None:
    server.expect_request("/v1", method="POST").respond_with_json(body, status=status)


def test_pictures__are_drawn_and_cost_what_it_says(acme: Account, httpserver: HTTPServer) -> None:
    answer_with(httpserver, drawn(0.0013, 0.0013, 0.0013))
    answer = ask(acme, httpserver.url_for("/v1"), count=3, parameters={"image_size": "1792x1024"})
    assert [image.url for image in answer.content] == [
        f"https://im.runware.example/{number}.jpg" for number in range(3)
    ]
    receipt = Receipt.objects.get()
    assert (receipt.status, receipt.images, receipt.cost) == ("ok", 3, Decimal("0.0039"))
    assert (receipt.cost_reported, receipt.cost_computed) == (Decimal("0.0039"), Decimal("0.027"))
    assert receipt.context["size"] == "1792x1024"
    assert json.loads(receipt.usage_block) == {"costs": [0.0013, 0.0013, 0.0013]}
    ((request, _),) = httpserver.log
    (task,) = json.loads(request.get_data())
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert (task["taskType"], task["model"], task["numberResults"]) == ("imageInference", MODEL, 3)
    assert (task["width"], task["height"], task["includeCost"]) == (1792, 1024, True)


@pytest.mark.parametrize(
    ("costs", "note"),
    [
        ([None, None], ""),
        ([0.0013, None], "The reported cost 'nothing' is none."),
        ([0.0013, "free"], "The reported cost 'free' is none."),
        ([0.0013, -1], "is none."),
    ],
)
def test_cost__that_is_none__leaves_the_price_to_say_it(
    acme: Account, httpserver: HTTPServer, costs: list[Any], note: str
) -> None:
    answer_with(httpserver, drawn(*costs))
    answer = ask(acme, httpserver.url_for("/v1"), count=2)
    receipt = Receipt.objects.get()
    assert (len(answer.content), receipt.status, receipt.cost_reported) == (2, "ok", None)
    assert receipt.cost == Decimal("0.018")
    assert note in receipt.usage_note


def test_pictures__drawn_in_part__are_given_and_paid(acme: Account, httpserver: HTTPServer) -> None:
    body = {**drawn(0.002), "errors": [{"code": "timeoutProvider", "message": "Too slow."}]}
    answer_with(httpserver, body)
    answer = ask(acme, httpserver.url_for("/v1"), count=2)
    assert len(answer.content) == 1
    assert Receipt.objects.get().cost == Decimal("0.002")


def slow(_request: Request) -> Response:
    time.sleep(3)
    return Response("{}")


FAILURES: list[tuple[int, Any, type[ProviderError], str]] = [
    (401, {"errors": [{"code": "invalidApiKey", "message": KEY}]}, ProviderKeyRefused, ""),
    (400, {"errors": [{"code": "insufficientCredits"}]}, ProviderKeyRefused, ""),
    (429, {}, ProviderRateLimited, ""),
    (500, "oops", ProviderFailed, "500"),
    (400, {"errors": [{"code": "invalidModel", "message": "No."}]}, ProviderModelUnknown, "No."),
    (200, {"errors": [{"code": "contentModerated"}]}, ProviderContentRefused, "no picture"),
    (
        400,
        {"errors": [{"code": "invalidWidth", "message": f"a\nb {KEY}"}]},
        ProviderRequestRefused,
        "a b …",
    ),
    (200, {"data": []}, ProviderRequestRefused, "no picture"),
    (200, {"data": 7}, ProviderAnswerInvalid, "data"),
    (200, [], ProviderAnswerInvalid, ""),
    (302, {}, ProviderRequestRefused, ""),
]


@pytest.mark.parametrize(("status", "body", "error", "sentence"), FAILURES)
def test_failure__of_each_kind__is_one_of_ours(
    acme: Account,
    httpserver: HTTPServer,
    status: int,
    body: Any,
    error: type[ProviderError],
    sentence: str,
) -> None:
    answer_with(httpserver, body, status)
    told, _ = assert_fails(lambda: ask(acme, httpserver.url_for("/v1")), "runware", error, sentence)
    assert KEY not in told
    assert "\n" not in told


def test_answer__that_takes_too_long_or_never_comes__is_told(
    acme: Account, httpserver: HTTPServer
) -> None:
    config.AI_REQUEST_TIMEOUT_S = 1
    httpserver.expect_request("/v1").respond_with_handler(slow)
    assert_fails(
        lambda: ask(acme, httpserver.url_for("/v1")), "runware", ProviderTimeout, "within 1 s"
    )
    Receipt.objects.all().delete()
    assert_fails(
        lambda: ask(acme, "http://127.0.0.1:1/v1"), "runware", ProviderUnreachable, "reached"
    )


@pytest.mark.parametrize(
    "do",
    [
        lambda each: each.complete(
            TextRequest("m", "", "x", json_mode=False, timeout_s=1, longest=10)
        ),
        lambda each: each.embed(EmbeddingRequest("m", ("x",), 1)),
    ],
)
def test_text_and_vectors__it_cannot(
    do: Callable[[RunwareProvider], Coroutine[Any, Any, object]],
) -> None:
    with pytest.raises(ProviderCannot, match="runware"):
        network.wait(do(RunwareProvider("runware", Connection(KEY))))
