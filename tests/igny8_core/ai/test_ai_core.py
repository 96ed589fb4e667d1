"""The main job against a real server that speaks OpenAI's protocol, through the official SDK."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from constance import config
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from igny8_core.ai import exceptions
from igny8_core.ai.ai_core import AICore
from igny8_core.ai.providers.base import Connection
from igny8_core.ai.providers.offline import LABEL
from igny8_core.ai.resolver import resolve
from igny8_core.ai.values import Needs, TextRequest
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.global_settings_models import AIModel
from igny8_core.modules.usage.models import Receipt
from tests.conftest import Manage

KEY = "sk-planted-0123456789"
PATH = "/v1/chat/completions"


def completion(**changes: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "Tyres are round."},
            }
        ],
        "usage": {"prompt_tokens": 1234, "completion_tokens": 567, "total_tokens": 1801},
        **changes,
    }


def core(account: Account, server: HTTPServer) -> AICore:
    return AICore(account, connections={"openai": Connection(KEY, server.url_for("/v1"))})


def test_run__server_answers__receipt_costs_tokens_times_rates(
    acme: Account, httpserver: HTTPServer
) -> None:
    httpserver.expect_oneshot_request(
        PATH, method="POST", headers={"Authorization": f"Bearer {KEY}"}
    ).respond_with_json(completion())
    answer = core(acme, httpserver).run_ai_request("generate_content", "About tyres.")
    cost = (1234 * Decimal("0.15") + 567 * Decimal("0.60")) / 1_000_000
    receipt = Receipt.objects.get()
    assert (answer.text, answer.cost, answer.request_id) == (
        "Tyres are round.",
        cost,
        receipt.request_id,
    )
    assert receipt.cost == cost == Decimal("0.0005253")
    assert (receipt.account, receipt.task, receipt.reason, receipt.status) == (
        acme,
        "generate_content",
        "TYPE_DEFAULT",
        "ok",
    )
    assert (receipt.provider, receipt.model_asked, receipt.model_served) == (
        "openai",
        "gpt-4o-mini",
        "gpt-4o-mini-2024-07-18",
    )
    assert (receipt.input_tokens, receipt.output_tokens) == (1234, 567)
    assert receipt.latency_ms > 0


def test_run__what_is_sent__is_the_task_and_the_prompt(
    acme: Account, httpserver: HTTPServer
) -> None:
    httpserver.expect_request(PATH).respond_with_json(completion())
    core(acme, httpserver).run_ai_request("auto_cluster", "shoes, boots")
    ((request, _),) = httpserver.log
    sent = json.loads(request.get_data())
    assert sent["model"] == "gpt-4o-mini"
    assert sent["response_format"] == {"type": "json_object"}
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    assert sent["messages"][0]["content"].startswith("Group these keywords")
    assert sent["messages"][1]["content"] == "shoes, boots"


@pytest.mark.parametrize(("needs", "is_sent"), [(Needs(), False), (Needs(json_mode=True), True)])
def test_run__json_mode__is_sent_when_needed(
    acme: Account, httpserver: HTTPServer, needs: Needs, is_sent: bool
) -> None:
    httpserver.expect_request(PATH).respond_with_json(completion())
    core(acme, httpserver).run_ai_request("generate_content", "x", needs=needs)
    ((request, _),) = httpserver.log
    assert ("response_format" in json.loads(request.get_data())) is is_sent


def test_run__another_catalogue_model_served__its_price_is_taken(
    acme: Account, httpserver: HTTPServer
) -> None:
    httpserver.expect_request(PATH).respond_with_json(completion(model="gpt-4o"))
    answer = core(acme, httpserver).run_ai_request("generate_content", "x")
    assert answer.cost == (1234 * Decimal("2.50") + 567 * Decimal(10)) / 1_000_000


def test_run__unpriced_catalogue_model_served__the_asked_ones_price_is_taken(
    acme: Account, httpserver: HTTPServer
) -> None:
    AIModel.objects.filter(model_id="gpt-4o").update(input_rate=0)
    httpserver.expect_request(PATH).respond_with_json(completion(model="gpt-4o"))
    answer = core(acme, httpserver).run_ai_request("generate_content", "x")
    assert answer.cost == Decimal("0.0005253")


def test_run__no_usage_reported__cost_is_unknown_and_the_receipt_says_so(
    acme: Account, httpserver: HTTPServer
) -> None:
    httpserver.expect_request(PATH).respond_with_json(completion(usage=None))
    answer = core(acme, httpserver).run_ai_request("generate_content", "x")
    receipt = Receipt.objects.get()
    assert (answer.cost, receipt.cost, receipt.status) == (None, None, "unmetered")
    assert (receipt.input_tokens, receipt.model_served) == (None, "gpt-4o-mini-2024-07-18")


def test_run__answer_cut_off_or_refused__the_caller_sees_why(
    acme: Account, httpserver: HTTPServer
) -> None:
    choice = {"finish_reason": "content_filter", "message": {"content": None, "refusal": "No."}}
    httpserver.expect_request(PATH).respond_with_json(completion(choices=[choice]))
    answer = core(acme, httpserver).run_ai_request("generate_content", "x")
    assert (answer.text, answer.finish_reason) == ("No.", "content_filter")


def _slow(_request: Request) -> Response:
    time.sleep(0.6)
    return Response(json.dumps(completion()), content_type="application/json")


FAILURES: dict[str, tuple[Callable[[HTTPServer], None], type[exceptions.ProviderError], str]] = {
    "401": (
        lambda server: server.expect_request(PATH).respond_with_json(
            {"error": {"message": f"Incorrect API key provided: {KEY}"}}, status=401
        ),
        exceptions.ProviderKeyRefused,
        "refused the key (HTTP 401)",
    ),
    "403": (
        lambda server: server.expect_request(PATH).respond_with_data("no", status=403),
        exceptions.ProviderKeyRefused,
        "refused the key (HTTP 403)",
    ),
    "404": (
        lambda server: server.expect_request(PATH).respond_with_json(
            {"error": {"message": f"no such model for {KEY}"}}, status=404
        ),
        exceptions.ProviderRequestRefused,
        "refused the request (HTTP 404): ",
    ),
    "429": (
        lambda server: server.expect_request(PATH).respond_with_json(
            {"error": {"message": "slow down"}}, status=429, headers={"Retry-After": "7"}
        ),
        exceptions.ProviderRateLimited,
        "Try again in 7 s.",
    ),
    "429 without a time": (
        lambda server: server.expect_request(PATH).respond_with_data("", status=429),
        exceptions.ProviderRateLimited,
        "too many requests (HTTP 429).",
    ),
    "500": (
        lambda server: server.expect_request(PATH).respond_with_data("<html>", status=500),
        exceptions.ProviderFailed,
        "failed (HTTP 500).",
    ),
    "503": (
        lambda server: server.expect_request(PATH).respond_with_data("", status=503),
        exceptions.ProviderFailed,
        "failed (HTTP 503).",
    ),
    "slow": (
        lambda server: server.expect_request(PATH).respond_with_handler(_slow),
        exceptions.ProviderTimeout,
        "did not answer within 0.2 s.",
    ),
    "not JSON": (
        lambda server: server.expect_request(PATH).respond_with_data("<html>It works!</html>"),
        exceptions.ProviderAnswerInvalid,
        "makes no sense: body: Invalid JSON",
    ),
    "no choices": (
        lambda server: server.expect_request(PATH).respond_with_json(completion(choices=[])),
        exceptions.ProviderAnswerInvalid,
        "makes no sense: choices: ",
    ),
    "negative tokens": (
        lambda server: server.expect_request(PATH).respond_with_json(
            completion(usage={"prompt_tokens": -1, "completion_tokens": 0})
        ),
        exceptions.ProviderAnswerInvalid,
        "makes no sense: usage.prompt_tokens: ",
    ),
    "absurd tokens": (
        lambda server: server.expect_request(PATH).respond_with_json(
            completion(usage={"prompt_tokens": 10**18, "completion_tokens": 0})
        ),
        exceptions.ProviderAnswerInvalid,
        "makes no sense: usage.prompt_tokens: ",
    ),
    "tokens as text": (
        lambda server: server.expect_request(PATH).respond_with_json(
            completion(usage={"prompt_tokens": "12", "completion_tokens": 0})
        ),
        exceptions.ProviderAnswerInvalid,
        "makes no sense: usage.prompt_tokens: ",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_run__server_fails__own_exception_and_a_receipt_without_cost(
    acme: Account, httpserver: HTTPServer, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    prepare, error, sentence = FAILURES[name]
    prepare(httpserver)
    config.AI_REQUEST_TIMEOUT_S = 0.2 if name == "slow" else 30.0
    with pytest.raises(error) as caught:
        core(acme, httpserver).run_ai_request("generate_content", "x")
    assert sentence in str(caught.value)
    assert str(caught.value).startswith("Provider 'openai' ")
    assert KEY not in str(caught.value) + caplog.text
    receipt = Receipt.objects.get()
    assert (receipt.status, receipt.cost, receipt.model_served) == (error.code, None, "")
    assert (receipt.provider, receipt.model_asked) == ("openai", "gpt-4o-mini")


def _closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def test_run__nobody_listens__is_unreachable(acme: Account) -> None:
    connection = Connection(KEY, f"http://127.0.0.1:{_closed_port()}/v1")
    with pytest.raises(exceptions.ProviderUnreachable):
        AICore(acme, connections={"openai": connection}).run_ai_request("generate_content", "x")
    assert Receipt.objects.get().status == "provider_unreachable"


def test_run__no_key__offline_answers_and_the_receipt_says_so(acme: Account) -> None:
    answer = AICore(acme, connections={"openai": Connection("")}).run_ai_request(
        "generate_content", "x"
    )
    assert answer.text.startswith(LABEL)
    assert (answer.provider, Receipt.objects.get().provider) == ("offline", "offline")


def test_run__no_key_and_offline_turned_off__is_refused(acme: Account) -> None:
    config.AI_OFFLINE_ANSWERS = False
    with pytest.raises(exceptions.ProviderNotConfigured, match="'openai' has no key"):
        AICore(acme).run_ai_request("generate_content", "x")
    assert not Receipt.objects.exists()


@pytest.mark.parametrize("model", ["nope", "gpt-4o"])
def test_run__model_unknown_or_inactive__is_refused_and_nothing_is_sent(
    acme: Account, httpserver: HTTPServer, model: str
) -> None:
    AIModel.objects.filter(model_id="gpt-4o").update(is_active=False)
    with pytest.raises(
        exceptions.ModelNotAvailable,
        match=rf"^Model '{model}' is not supported. Available models: \['gpt-4o-mini', 'gpt-4.1'",
    ):
        core(acme, httpserver).run_ai_request("generate_content", "x", model=model)
    assert not httpserver.log
    assert not Receipt.objects.exists()


def test_run__task_of_another_type__is_refused(acme: Account) -> None:
    with pytest.raises(exceptions.WrongTaskType, match="'generate_images' takes a model of type"):
        AICore(acme).run_ai_request("generate_images", "x")


@pytest.mark.parametrize("prompt", ["", " \n"])
def test_run__empty_prompt__is_refused(acme: Account, prompt: str) -> None:
    with pytest.raises(exceptions.EmptyPrompt):
        AICore(acme).run_ai_request("generate_content", prompt)


def test_run__account_suspended__is_refused(acme: Account) -> None:
    acme.status = Account.Status.SUSPENDED
    with pytest.raises(exceptions.AccountNotActive, match="'acme' is suspended"):
        AICore(acme).run_ai_request("generate_content", "x")


class _Cut:
    """A provider whose call is cut off from outside."""

    name = "cut"

    def complete(self, _request: object) -> Any:
        raise KeyboardInterrupt


def test_run__cut_off__the_receipt_says_interrupted(acme: Account) -> None:
    request = TextRequest("gpt-4o-mini", "", "x", json_mode=False, timeout_s=1)
    with pytest.raises(KeyboardInterrupt):
        AICore(acme)._run(_Cut(), request, resolve(acme, "generate_content"))
    assert Receipt.objects.get().status == "interrupted"


def test_connection__printed__hides_the_key() -> None:
    assert KEY not in repr(Connection(KEY, "http://x"))


@pytest.mark.parametrize("name", ["401", "429", "500", "slow", "not JSON"])
def test_command__server_fails__one_sentence_and_exit_1(
    manage: Manage, httpserver: HTTPServer, name: str
) -> None:
    prepare, _, sentence = FAILURES[name]
    prepare(httpserver)
    manage("constance", "set", "AI_REQUEST_TIMEOUT_S", "0.2" if name == "slow" else "30")
    done = manage(
        "run_ai",
        "acme",
        "generate_content",
        "--prompt=x",
        OPENAI_API_KEY=KEY,
        OPENAI_BASE_URL=httpserver.url_for("/v1"),
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert KEY not in done.stderr


def test_command__server_answers__shows_answer_and_cost(
    manage: Manage, httpserver: HTTPServer
) -> None:
    httpserver.expect_request(PATH).respond_with_json(completion())
    done = manage(
        "run_ai",
        "acme",
        "generate_content",
        "--prompt=x",
        "--json",
        OPENAI_API_KEY=KEY,
        OPENAI_BASE_URL=httpserver.url_for("/v1"),
    )
    facts = json.loads(done.stdout)
    assert (facts["text"], facts["cost"]) == ("Tyres are round.", "0.0005253")
    assert facts["answered_by"] == "openai"
