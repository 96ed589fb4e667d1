"""Gemini over real HTTP, through the official SDK."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from constance import config
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from flags import publishing
from igny8_core.ai.ai_core import AICore
from igny8_core.ai.providers.base import Connection
from igny8_core.ai.providers.errors import (
    ProviderAnswerInvalid,
    ProviderCannot,
    ProviderContentRefused,
    ProviderContextTooLong,
    ProviderError,
    ProviderFailed,
    ProviderKeyRefused,
    ProviderModelUnknown,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderRequestRefused,
    ProviderTimeout,
    ProviderUnreachable,
)
from igny8_core.ai.request.answers import Answer
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.models import AIModel
from igny8_core.modules.usage.models import Receipt
from igny8_core.tasks.needs import Needs
from tests.igny8_core.ai.providers.failing import assert_fails, one_attempt

__all__ = ["one_attempt"]

pytestmark = pytest.mark.django_db

KEY = "AIza-planted-0123456789"
MODEL = "gemini-3-flash"
TEXT = f"/v1beta/models/{MODEL}:generateContent"


@pytest.fixture
def httpserver() -> Iterator[HTTPServer]:
    with HTTPServer(host="127.0.0.1", threaded=True) as server:
        yield server


@pytest.fixture(autouse=True)
def models() -> None:
    rates = {"input_rate": Decimal("0.5"), "output_rate": Decimal(3)}
    for model_id, kind in (
        (MODEL, "text"),
        ("gemini-image", "image"),
        ("gemini-embed", "embedding"),
    ):
        AIModel.objects.create(
            model_id=model_id, display_name=model_id, provider="google", model_type=kind, **rates
        )
    publishing.publish()


def generated(**changes: Any) -> dict[str, Any]:
    parts = [{"text": "Thinking.", "thought": True}, {"text": "Tyres are round."}]
    return {
        "candidates": [{"content": {"parts": parts, "role": "model"}, "finishReason": "STOP"}],
        "modelVersion": "gemini-3-flash-001",
        "usageMetadata": {
            "promptTokenCount": 1_000,
            "candidatesTokenCount": 400,
            "thoughtsTokenCount": 100,
            "totalTokenCount": 1_500,
        },
        **changes,
    }


def core(account: Account, server: HTTPServer) -> AICore:
    return AICore(account, connections={"google": Connection(KEY, server.url_for(""))})


def ask(account: Account, server: HTTPServer, **options: Any) -> Answer[str]:
    return core(account, server).run_ai_request(
        "generate_content", "About tyres.", model=MODEL, **options
    )


def test_text__is_answered_without_its_thoughts_and_costs_them(
    acme: Account, httpserver: HTTPServer
) -> None:
    httpserver.expect_request(TEXT).respond_with_json(generated())
    answer = ask(acme, httpserver, needs=Needs(json_mode=True), parameters={"temperature": 0.5})
    assert (answer.content, answer.finish_reason) == ("Tyres are round.", "STOP")
    assert answer.cost == (1_000 * Decimal("0.5") + 500 * Decimal(3)) / 1_000_000
    ((request, _),) = httpserver.log
    sent = json.loads(request.get_data())
    assert request.headers["X-Goog-Api-Key"] == KEY
    assert sent["generationConfig"] == {"temperature": 0.5, "responseMimeType": "application/json"}
    assert sent["systemInstruction"]["parts"][0]["text"]
    receipt = Receipt.objects.get()
    assert (receipt.status, receipt.model_served) == ("ok", "gemini-3-flash-001")
    assert json.loads(receipt.usage_block)["thoughtsTokenCount"] == 100


def test_text__that_the_sdk_cannot_read__is_given_all_the_same(
    acme: Account, httpserver: HTTPServer
) -> None:
    usage = {"promptTokenCount": "many", "candidatesTokenCount": None, "promptTokensDetails": 7}
    httpserver.expect_request(TEXT).respond_with_json(generated(usageMetadata=usage))
    answer = ask(acme, httpserver)
    receipt = Receipt.objects.get()
    assert (answer.content, receipt.status) == ("Tyres are round.", "unmetered")
    assert "promptTokenCount is 'many'" in receipt.usage_note


def _packed(_request: Request) -> Response:
    packed = gzip.compress(json.dumps(generated()).encode())
    return Response(packed, headers={"Content-Encoding": "gzip"}, content_type="application/json")


def test_text__compressed_though_nobody_asked__is_given(
    acme: Account, httpserver: HTTPServer
) -> None:
    httpserver.expect_request(TEXT).respond_with_handler(_packed)
    assert ask(acme, httpserver).content == "Tyres are round."


def test_prompt__that_is_blocked__is_an_empty_answer_with_its_reason(
    acme: Account, httpserver: HTTPServer
) -> None:
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}, "candidates": []}
    httpserver.expect_request(TEXT).respond_with_json(generated(**blocked))
    answer = ask(acme, httpserver)
    assert (answer.content, answer.finish_reason) == ("", "SAFETY")


def test_picture__is_drawn_and_counted(acme: Account, httpserver: HTTPServer) -> None:
    parts = [{"inlineData": {"mimeType": "image/png", "data": "aGVsbG8="}}]
    drawn = generated(candidates=[{"content": {"parts": parts}, "finishReason": "STOP"}])
    httpserver.expect_request("/v1beta/models/gemini-image:generateContent").respond_with_json(
        drawn
    )
    answer = core(acme, httpserver).generate_image("A tyre", model="gemini-image")
    assert [image.b64 for image in answer.content] == ["aGVsbG8="]
    assert answer.meters is not None
    assert answer.meters["images"] == 1  # type: ignore[index]
    with pytest.raises(ProviderCannot, match="more than one picture"):
        core(acme, httpserver).generate_image("A tyre", model="gemini-image", count=2)


def test_picture__without_a_usage_block__is_counted_all_the_same(
    acme: Account, httpserver: HTTPServer
) -> None:
    parts = [{"inlineData": {"mimeType": "image/png", "data": "aGVsbG8="}}]
    drawn = {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]}
    httpserver.expect_request("/v1beta/models/gemini-image:generateContent").respond_with_json(
        drawn
    )
    answer = core(acme, httpserver).generate_image("A tyre", model="gemini-image")
    assert (answer.meters, answer.cost) == ({"images": 1}, Decimal("0.5"))


def test_picture__that_is_not_drawn__says_why(acme: Account, httpserver: HTTPServer) -> None:
    none = generated(candidates=[{"content": {"parts": []}, "finishReason": "IMAGE_SAFETY"}])
    httpserver.expect_request("/v1beta/models/gemini-image:generateContent").respond_with_json(none)
    with pytest.raises(ProviderContentRefused, match="IMAGE_SAFETY"):
        core(acme, httpserver).generate_image("A tyre", model="gemini-image")


def test_vectors__are_in_order_and_unmetered(acme: Account, httpserver: HTTPServer) -> None:
    """The protocol says nothing of what they took."""
    found = {"embeddings": [{"values": [0.1, 0.2]}, {"values": [0.3, 0.4]}]}
    path = "/v1beta/models/gemini-embed:batchEmbedContents"
    httpserver.expect_request(path).respond_with_json(found)
    answer = core(acme, httpserver).embed(["a", "b"], model="gemini-embed")
    assert answer.content == ((0.1, 0.2), (0.3, 0.4))
    assert Receipt.objects.get().status == "unmetered"


def refused(
    status: int, word: str, sentence: str, reason: str = "", **headers: str
) -> Callable[[HTTPServer], None]:
    error: dict[str, Any] = {"code": status, "message": sentence, "status": word}
    if reason:
        error["details"] = [{"reason": reason}]
    return lambda server: server.expect_request(TEXT).respond_with_json(
        {"error": error}, status=status, headers=headers
    )


def _slow(_request: Request) -> Response:
    time.sleep(0.6)
    return Response(json.dumps(generated()), content_type="application/json")


def _dripping(_request: Request) -> Response:
    def drip() -> Iterator[bytes]:
        for character in json.dumps(generated())[:40]:
            time.sleep(0.05)
            yield character.encode()

    return Response(drip(), content_type="application/json")


FAILURES: dict[str, tuple[Callable[[HTTPServer], None], type[ProviderError], str]] = {
    "wrong key": (
        refused(400, "INVALID_ARGUMENT", f"API key {KEY} not valid", "API_KEY_INVALID"),
        ProviderKeyRefused,
        "refused the key (HTTP 400).",
    ),
    "not allowed": (
        refused(403, "PERMISSION_DENIED", "no"),
        ProviderKeyRefused,
        "refused the key (HTTP 403).",
    ),
    "too many": (
        refused(429, "RESOURCE_EXHAUSTED", "slow down", **{"Retry-After": "9"}),
        ProviderRateLimited,
        "Try again in 9 s.",
    ),
    "overloaded": (
        refused(503, "UNAVAILABLE", "The model is overloaded."),
        ProviderOverloaded,
        "is overloaded (HTTP 503).",
    ),
    "failed": (refused(500, "INTERNAL", "oops"), ProviderFailed, "failed (HTTP 500)."),
    "unknown model": (
        refused(404, "NOT_FOUND", f"models/{MODEL} is not found"),
        ProviderModelUnknown,
        "does not know the model (HTTP 404): models/",
    ),
    "too long": (
        refused(
            400, "INVALID_ARGUMENT", "The input token count exceeds the maximum number of tokens"
        ),
        ProviderContextTooLong,
        "finds the prompt too long (HTTP 400): ",
    ),
    "bad": (
        refused(400, "INVALID_ARGUMENT", "temperature"),
        ProviderRequestRefused,
        "refused the request (HTTP 400): temperature",
    ),
    "no JSON": (
        lambda server: server.expect_request(TEXT).respond_with_data("<html>"),
        ProviderAnswerInvalid,
        "makes no sense: body: ",
    ),
    "redirect": (
        lambda server: server.expect_request(TEXT).respond_with_data(
            "", status=307, headers={"Location": server.url_for("/elsewhere")}
        ),
        ProviderRequestRefused,
        "refused the request (HTTP 307)",
    ),
    "slow": (
        lambda server: server.expect_request(TEXT).respond_with_handler(_slow),
        ProviderTimeout,
        "did not answer within 0.2 s.",
    ),
    "dripping": (
        lambda server: server.expect_request(TEXT).respond_with_handler(_dripping),
        ProviderTimeout,
        "did not answer within 0.3 s.",
    ),
}
TIMEOUTS = {"slow": 0.2, "dripping": 0.3}


@pytest.mark.parametrize("name", FAILURES)
def test_failure__each__is_one_error_and_a_receipt_without_cost(
    acme: Account, httpserver: HTTPServer, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    prepare, error, sentence = FAILURES[name]
    prepare(httpserver)
    config.AI_REQUEST_TIMEOUT_S = TIMEOUTS.get(name, 30.0)
    told, _ = assert_fails(lambda: ask(acme, httpserver), "google", error, sentence)
    assert KEY not in told + caplog.text
    assert len(httpserver.log) <= 1  # a slow one is not in the log yet


def test_nobody_there__is_unreachable(acme: Account) -> None:
    connection = Connection(KEY, "http://127.0.0.1:1")
    with pytest.raises(ProviderUnreachable):
        AICore(acme, connections={"google": connection}).run_ai_request(
            "generate_content", "x", model=MODEL
        )


def test_environment__of_the_sdk__is_not_asked(
    acme: Account, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY", "HTTPS_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    httpserver.expect_request(TEXT).respond_with_json(generated())
    ask(acme, httpserver)
    ((request, _),) = httpserver.log
    assert request.headers["X-Goog-Api-Key"] == KEY


def test_tier__that_is_asked_for__is_what_it_is_billed_by(
    acme: Account, httpserver: HTTPServer
) -> None:
    """The answer does not say; at no price of that tier it is unpriced, not standard."""
    httpserver.expect_request(TEXT).respond_with_json(generated())
    ask(acme, httpserver, parameters={"service_tier": "flex"})
    ((request, _),) = httpserver.log
    assert json.loads(request.get_data())["serviceTier"].lower() == "flex"
    assert Receipt.objects.get().status == "unpriced"
