"""What every provider of pictures and of vectors does alike, over real HTTP."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from asgiref.sync import async_to_sync
from constance import config
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from flags import publishing
from igny8_core.ai.ai_core import AICore
from igny8_core.ai.providers.base import Connection
from igny8_core.ai.providers.errors import (
    ProviderAnswerInvalid,
    ProviderError,
    ProviderFailed,
    ProviderKeyRefused,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderTimeout,
)
from igny8_core.ai.request.answers import Answer
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.models import AIModel
from igny8_core.modules.usage.models import Receipt
from tests.igny8_core.ai.providers.failing import one_attempt

__all__ = ["one_attempt"]

pytestmark = pytest.mark.django_db

KEY = "sk-planted-0123456789"
ANY = re.compile("/.*")


class Spoken(NamedTuple):
    """A protocol, what it is asked for, and what it answers; `path` stands before its own."""

    provider: str
    kind: str
    path: str
    said: dict[str, Any]


PROTOCOLS = [
    Spoken("openai", "image", "/v1", {"data": [{"b64_json": "aGVsbG8="}]}),
    Spoken(
        "google",
        "image",
        "",
        {
            "candidates": [
                {
                    "content": {
                        "parts": [{"inlineData": {"mimeType": "image/png", "data": "aGVsbG8="}}]
                    },
                    "finishReason": "STOP",
                }
            ]
        },
    ),
    Spoken("runware", "image", "/v1", {"data": [{"imageBase64Data": "aGVsbG8="}]}),
    Spoken(
        "openai",
        "embedding",
        "/v1",
        {
            "model": "asked",
            "data": [{"index": 0, "embedding": [0.25, 0.5]}],
            "usage": {"prompt_tokens": 7, "total_tokens": 7},
        },
    ),
    Spoken(
        "google",
        "embedding",
        "",
        {"embeddings": [{"values": [0.25, 0.5]}], "usageMetadata": {"promptTokenCount": 7}},
    ),
]


@pytest.fixture
def httpserver() -> Iterator[HTTPServer]:
    with HTTPServer(host="127.0.0.1", threaded=True) as server:
        yield server


@pytest.fixture(params=PROTOCOLS, ids=lambda spoken: f"{spoken.provider}-{spoken.kind}")
def spoken(request: pytest.FixtureRequest) -> Spoken:
    found: Spoken = request.param
    return found


class Asked(NamedTuple):
    core: AICore
    kind: str

    def sync(self) -> Answer[Any]:
        if self.kind == "image":
            return self.core.generate_image("A dot.", model="asked")
        return self.core.embed("A dot.", model="asked")

    async def later(self) -> Answer[Any]:
        if self.kind == "image":
            return await self.core.agenerate_image("A dot.", model="asked")
        return await self.core.aembed("A dot.", model="asked")


WAYS: list[Callable[[Asked], Answer[Any]]] = [
    Asked.sync,
    lambda asked: async_to_sync(asked.later)(),
]


@pytest.fixture
def asked(acme: Account, httpserver: HTTPServer, spoken: Spoken) -> Asked:
    AIModel.objects.create(
        model_id="asked",
        display_name="Asked",
        provider=spoken.provider,
        model_type=spoken.kind,
        input_rate=Decimal(1),
        output_rate=Decimal(0),
    )
    publishing.publish_pending()
    connection = Connection(KEY, httpserver.url_for(spoken.path))
    return Asked(AICore(acme, connections={spoken.provider: connection}), spoken.kind)


@pytest.mark.parametrize("way", WAYS)
def test_answer__each_way__is_the_same_and_is_counted(
    asked: Asked, httpserver: HTTPServer, spoken: Spoken, way: Callable[[Asked], Answer[Any]]
) -> None:
    httpserver.expect_request(ANY).respond_with_json(spoken.said)
    answer = way(asked)
    receipt = Receipt.objects.get()
    assert (receipt.status, receipt.provider) == ("ok", spoken.provider)
    if spoken.kind == "image":
        assert [image.b64 for image in answer.content] == ["aGVsbG8="]
        assert (receipt.meters, receipt.cost) == ({"images": 1}, Decimal(1))
    else:
        assert answer.content == ((0.25, 0.5),)
        assert (receipt.input_tokens, receipt.cost) == (7, Decimal("0.000007"))


def _late(_request: Request) -> Response:
    time.sleep(1.5)
    return Response(json.dumps({}), content_type="application/json")


FAILURES: dict[str, tuple[Callable[[Any], object], type[ProviderError]]] = {
    "wrong key": (lambda to: to.respond_with_json({}, status=401), ProviderKeyRefused),
    "too many": (
        lambda to: to.respond_with_json({}, status=429, headers={"Retry-After": "9"}),
        ProviderRateLimited,
    ),
    "failed": (lambda to: to.respond_with_json({}, status=500), ProviderFailed),
    "overloaded": (lambda to: to.respond_with_json({}, status=529), ProviderOverloaded),
    "no JSON": (lambda to: to.respond_with_data("<html>"), ProviderAnswerInvalid),
    "late": (lambda to: to.respond_with_handler(_late), ProviderTimeout),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", FAILURES)
def test_failure__each_way__is_one_error_and_a_receipt_without_cost(
    asked: Asked, httpserver: HTTPServer, way: Callable[[Asked], Answer[Any]], name: str
) -> None:
    prepare, error = FAILURES[name]
    if name == "late":
        config.AI_REQUEST_TIMEOUT_S = 0.5
    prepare(httpserver.expect_request(ANY))
    with pytest.raises(error) as caught:
        way(asked)
    assert type(caught.value) is error
    assert KEY not in str(caught.value)
    receipt = Receipt.objects.get()
    assert (receipt.status, receipt.cost) == (error.code, None)
