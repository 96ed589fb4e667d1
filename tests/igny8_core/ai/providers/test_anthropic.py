"""Anthropic over real HTTP, through the official SDK."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from igny8_core.ai.ai_core import AICore
from igny8_core.ai.providers import network
from igny8_core.ai.providers.anthropic.client import AnthropicProvider
from igny8_core.ai.providers.base import Connection, EmbeddingRequest, ImageRequest
from igny8_core.ai.providers.errors import (
    ProviderAnswerInvalid,
    ProviderCannot,
    ProviderContextTooLong,
    ProviderError,
    ProviderFailed,
    ProviderKeyRefused,
    ProviderModelUnknown,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderRequestRefused,
    ProviderUnreachable,
)
from igny8_core.ai.request.answers import Answer
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.usage.models import Receipt
from tests.conftest import ROOT
from tests.igny8_core.ai.providers.failing import assert_fails, one_attempt

__all__ = ["one_attempt"]

pytestmark = pytest.mark.django_db

KEY = "sk-ant-planted-0123456789"
PATH = "/v1/messages"
MODEL = "claude-3-sonnet"


@pytest.fixture
def httpserver() -> Iterator[HTTPServer]:
    with HTTPServer(host="127.0.0.1", threaded=True) as server:
        yield server


def message(**changes: Any) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-3-sonnet-20240229",
        "content": [{"type": "text", "text": "Tyres are "}, {"type": "text", "text": "round."}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1_000, "output_tokens": 500, "service_tier": "standard"},
        **changes,
    }


def ask(account: Account, server: HTTPServer, **options: Any) -> Answer[str]:
    core = AICore(account, connections={"anthropic": Connection(KEY, server.url_for(""))})
    return core.run_ai_request("generate_content", "About tyres.", model=MODEL, **options)


def test_text__is_answered_and_costs_its_tokens(acme: Account, httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_json(message())
    answer = ask(acme, httpserver, parameters={"temperature": 0.5})
    assert (answer.content, answer.finish_reason) == ("Tyres are round.", "end_turn")
    assert answer.cost == (1_000 * Decimal(3) + 500 * Decimal(15)) / 1_000_000
    ((request, _),) = httpserver.log
    sent = json.loads(request.get_data())
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert (sent["model"], sent["max_tokens"], sent["temperature"]) == (MODEL, 8192, 0.5)
    assert sent["messages"] == [{"role": "user", "content": "About tyres."}]
    assert sent["system"]
    receipt = Receipt.objects.get()
    assert (receipt.status, receipt.model_served) == ("ok", "claude-3-sonnet-20240229")
    assert json.loads(receipt.usage_block)["output_tokens"] == 500


def test_text__with_caches_of_both_lives__is_counted_once_each(
    acme: Account, httpserver: HTTPServer
) -> None:
    usage = {
        "input_tokens": 5,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 30,
        "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
        "output_tokens": 7,
    }
    httpserver.expect_request(PATH).respond_with_json(message(usage=usage))
    answer = ask(acme, httpserver)
    assert answer.meters == {
        "input_tokens": 135,
        "cached_input_tokens": 100,
        "cache_write_5m_tokens": 20,
        "cache_write_1h_tokens": 10,
        "output_tokens": 7,
    }


def test_text__refused_by_the_model__is_an_empty_answer_with_its_reason(
    acme: Account, httpserver: HTTPServer
) -> None:
    httpserver.expect_request(PATH).respond_with_json(message(content=[], stop_reason="refusal"))
    answer = ask(acme, httpserver)
    assert (answer.content, answer.finish_reason) == ("", "refusal")


def refused(status: int, kind: str, sentence: str, **headers: str) -> Callable[[HTTPServer], None]:
    body = {"type": "error", "error": {"type": kind, "message": sentence}}
    return lambda server: server.expect_request(PATH).respond_with_json(
        body, status=status, headers=headers
    )


def _cut(_request: Request) -> Response:
    def half() -> Iterator[bytes]:
        yield json.dumps(message()).encode()[:40]
        raise ConnectionError

    return Response(half(), headers={"Content-Length": "4000"}, content_type="application/json")


FAILURES: dict[str, tuple[Callable[[HTTPServer], None], type[ProviderError], str]] = {
    "wrong key": (
        refused(401, "authentication_error", f"invalid x-api-key {KEY}"),
        ProviderKeyRefused,
        "refused the key (HTTP 401).",
    ),
    "too many": (
        refused(429, "rate_limit_error", "slow down", **{"Retry-After": "9"}),
        ProviderRateLimited,
        "Try again in 9 s.",
    ),
    "overloaded": (
        refused(529, "overloaded_error", "Overloaded"),
        ProviderOverloaded,
        "is overloaded (HTTP 529).",
    ),
    "failed": (refused(500, "api_error", "oops"), ProviderFailed, "failed (HTTP 500)."),
    "unknown model": (
        refused(404, "not_found_error", f"model: {MODEL}"),
        ProviderModelUnknown,
        f"does not know the model (HTTP 404): model: {MODEL}",
    ),
    "too long": (
        refused(400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000"),
        ProviderContextTooLong,
        "finds the prompt too long (HTTP 400): prompt is too long",
    ),
    "bad": (
        refused(400, "invalid_request_error", "temperature: range"),
        ProviderRequestRefused,
        "refused the request (HTTP 400): temperature: range",
    ),
    "no JSON": (
        lambda server: server.expect_request(PATH).respond_with_data("<html>"),
        ProviderAnswerInvalid,
        "makes no sense: body: ",
    ),
    "no content": (
        lambda server: server.expect_request(PATH).respond_with_json(message(content=None)),
        ProviderAnswerInvalid,
        "makes no sense: content: ",
    ),
    "cut off": (
        lambda server: server.expect_request(PATH).respond_with_handler(_cut),
        ProviderUnreachable,
        "cannot be reached.",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_failure__each__is_one_error_and_a_receipt_without_cost(
    acme: Account, httpserver: HTTPServer, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    prepare, error, sentence = FAILURES[name]
    prepare(httpserver)
    told, _ = assert_fails(lambda: ask(acme, httpserver), "anthropic", error, sentence)
    assert KEY not in told + caplog.text
    assert len(httpserver.log) == 1


def test_environment__of_the_sdk__is_not_asked(
    acme: Account, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "planted-token")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Planted: planted")
    httpserver.expect_request(PATH).respond_with_json(message())
    ask(acme, httpserver)
    ((request, _),) = httpserver.log
    assert "planted-token" not in str(request.headers)
    assert "X-Planted" not in request.headers


def test_pictures_and_vectors__cannot_be_had() -> None:
    provider = AnthropicProvider("anthropic", Connection(KEY, "http://127.0.0.1:1"))
    with pytest.raises(ProviderCannot, match="cannot draw pictures"):
        network.wait(provider.draw(ImageRequest("m", "x", 1, 1.0)))
    with pytest.raises(ProviderCannot, match="cannot embed texts"):
        network.wait(provider.embed(EmbeddingRequest("m", ("x",), 1.0)))


def test_start__imports_no_sdk() -> None:
    """Each takes most of a second, and is imported by the first call."""
    asked = (
        "import sys, igny8_core.ai.providers; "
        "print({'openai', 'anthropic', 'google.genai', 'httpx2'} & {*sys.modules})"
    )
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "set()"
