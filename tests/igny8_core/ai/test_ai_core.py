"""The main job against a real server that speaks OpenAI's protocol, through the official SDK."""

from __future__ import annotations

import gzip
import json
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import pytest
from constance import config
from django.db import transaction
from pytest_django import Settings
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from igny8_core.ai.ai_core import AICore
from igny8_core.ai.errors import (
    AccountNotActive,
    ModelNotAvailable,
    NoUsableModel,
    OpenTransaction,
    WrongTaskType,
)
from igny8_core.ai.providers.base import Connection
from igny8_core.ai.providers.errors import (
    ProviderAnswerInvalid,
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
    ProviderUnforeseen,
    ProviderUnreachable,
)
from igny8_core.ai.providers.offline.client import LABEL
from igny8_core.ai.providers.openai.client import _client
from igny8_core.live_settings import InvalidLiveSetting
from igny8_core.modules.accounts.models import Account, AccountStatus
from igny8_core.modules.system.models import AIModel, ModelPrice
from igny8_core.modules.usage import draining
from igny8_core.modules.usage.models import Receipt
from igny8_core.pricing.conditions import parse_condition
from igny8_core.pricing.meters import Meter
from igny8_core.pricing.prices import RateLine, headline_lines
from igny8_core.tasks.errors import EmptyPrompt, InvalidCharacter, InvalidParameter
from igny8_core.tasks.needs import Needs
from tests.conftest import Manage
from tests.igny8_core.ai.providers.failing import assert_fails, one_attempt

__all__ = ["one_attempt"]

KEY = "sk-planted-0123456789"
PATH = "/v1/chat/completions"


@pytest.fixture
def httpserver() -> Iterator[HTTPServer]:
    """A server of the test's own: what a slow answer leaves behind is in no other's log."""
    with HTTPServer(host="127.0.0.1", threaded=True) as server:
        yield server


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
    assert (answer.content, answer.cost, answer.request_id) == (
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
    assert receipt.model_priced == "gpt-4o-mini"
    assert receipt.lines == [
        {
            "meter": "input_tokens",
            "quantity": 1234,
            "rate": "0.15",
            "per": 1_000_000,
            "amount": "0.0001851",
        },
        {
            "meter": "output_tokens",
            "quantity": 567,
            "rate": "0.60",
            "per": 1_000_000,
            "amount": "0.0003402",
        },
    ]


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
    assert "JSON" in sent["messages"][0]["content"]
    assert sent["messages"][1]["content"] == "shoes, boots"


@pytest.mark.parametrize(("needs", "is_sent"), [(Needs(), False), (Needs(json_mode=True), True)])
def test_run__json_mode__is_sent_when_needed(
    acme: Account, httpserver: HTTPServer, needs: Needs, is_sent: bool
) -> None:
    httpserver.expect_request(PATH).respond_with_json(completion())
    core(acme, httpserver).run_ai_request("generate_content", "x", needs=needs)
    ((request, _),) = httpserver.log
    sent = json.loads(request.get_data())
    assert ("response_format" in sent) is is_sent
    assert ("JSON" in sent["messages"][0]["content"]) is is_sent


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


def test_run__model_of_another_type_served__the_asked_ones_price_is_taken(
    acme: Account, httpserver: HTTPServer
) -> None:
    httpserver.expect_request(PATH).respond_with_json(completion(model="dall-e-3"))
    answer = core(acme, httpserver).run_ai_request("generate_content", "x")
    assert answer.cost == Decimal("0.0005253")
    assert Receipt.objects.get().model_priced == "gpt-4o-mini"


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
    assert (answer.content, answer.finish_reason) == ("No.", "content_filter")


def _slow(_request: Request) -> Response:
    time.sleep(0.6)
    return Response(json.dumps(completion()), content_type="application/json")


def _dripping(_request: Request) -> Response:
    def drip() -> Iterator[bytes]:
        for character in json.dumps(completion())[:40]:
            time.sleep(0.05)
            yield character.encode()

    return Response(drip(), content_type="application/json")


def _bomb(_request: Request) -> Response:
    """A third of a megabyte of gzip that is 320 MB of zeros."""
    packed = gzip.compress(b" " * (320 * 2**20), 9)
    return Response(packed, headers={"Content-Encoding": "gzip"}, content_type="application/json")


def _in_a_minute() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(minutes=1), usegmt=True)


TIMEOUTS = {"slow": 0.2, "dripping": 0.3}
FAILURES: dict[str, tuple[Callable[[HTTPServer], None], type[ProviderError], str]] = {
    "401": (
        lambda server: server.expect_request(PATH).respond_with_json(
            {"error": {"message": f"Incorrect API key provided: {KEY}"}}, status=401
        ),
        ProviderKeyRefused,
        "refused the key (HTTP 401)",
    ),
    "403": (
        lambda server: server.expect_request(PATH).respond_with_data("no", status=403),
        ProviderKeyRefused,
        "refused the key (HTTP 403)",
    ),
    "404": (
        lambda server: server.expect_request(PATH).respond_with_json(
            {"error": {"message": f"no such model for {KEY}"}}, status=404
        ),
        ProviderModelUnknown,
        "does not know the model (HTTP 404): no such model for …",
    ),
    "429": (
        lambda server: server.expect_request(PATH).respond_with_json(
            {"error": {"message": "slow down"}}, status=429, headers={"Retry-After": "7"}
        ),
        ProviderRateLimited,
        "Try again in 7 s.",
    ),
    "429 without a time": (
        lambda server: server.expect_request(PATH).respond_with_data("", status=429),
        ProviderRateLimited,
        "too many requests (HTTP 429).",
    ),
    "500": (
        lambda server: server.expect_request(PATH).respond_with_data("<html>", status=500),
        ProviderFailed,
        "failed (HTTP 500).",
    ),
    "503": (
        lambda server: server.expect_request(PATH).respond_with_data("", status=503),
        ProviderOverloaded,
        "is overloaded (HTTP 503).",
    ),
    "529": (
        lambda server: server.expect_request(PATH).respond_with_data(
            "", status=529, headers={"Retry-After": _in_a_minute()}
        ),
        ProviderOverloaded,
        "is overloaded (HTTP 529). Try again in ",
    ),
    "429 without money": (
        lambda server: server.expect_request(PATH).respond_with_json(
            {"error": {"message": "quota", "code": "insufficient_quota"}}, status=429
        ),
        ProviderKeyRefused,
        "refused the key (HTTP 429)",
    ),
    "400": (
        lambda server: server.expect_request(PATH).respond_with_json(
            {"error": {"message": "bad\x1b[31m\ntemperature"}}, status=400
        ),
        ProviderRequestRefused,
        "refused the request (HTTP 400): bad [31m temperature",
    ),
    "400 for its length": (
        lambda server: server.expect_request(PATH).respond_with_json(
            {"error": {"message": "long", "code": "context_length_exceeded"}}, status=400
        ),
        ProviderContextTooLong,
        "finds the prompt too long (HTTP 400): long",
    ),
    "400 for what it says": (
        lambda server: server.expect_request(PATH).respond_with_json(
            {"error": {"message": "no", "code": "content_policy_violation"}}, status=400
        ),
        ProviderContentRefused,
        "refuses the content (HTTP 400): no",
    ),
    "redirect": (
        lambda server: server.expect_request(PATH).respond_with_data(
            "", status=307, headers={"Location": server.url_for("/elsewhere")}
        ),
        ProviderRequestRefused,
        "refused the request (HTTP 307)",
    ),
    "bomb": (
        lambda server: server.expect_request(PATH).respond_with_handler(_bomb),
        ProviderAnswerInvalid,
        "makes no sense: body: it has more than 134,217,728 bytes",
    ),
    "slow": (
        lambda server: server.expect_request(PATH).respond_with_handler(_slow),
        ProviderTimeout,
        "did not answer within 0.2 s.",
    ),
    "not JSON": (
        lambda server: server.expect_request(PATH).respond_with_data("<html>It works!</html>"),
        ProviderAnswerInvalid,
        "makes no sense: body: Expecting value",
    ),
    "no choices": (
        lambda server: server.expect_request(PATH).respond_with_json(completion(choices=[])),
        ProviderAnswerInvalid,
        "makes no sense: choices: ",
    ),
    "dripping": (
        lambda server: server.expect_request(PATH).respond_with_handler(_dripping),
        ProviderTimeout,
        "did not answer within 0.3 s.",
    ),
    "429 with an odd time": (
        lambda server: server.expect_request(PATH).respond_with_data(
            "", status=429, headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}
        ),
        ProviderRateLimited,
        "too many requests (HTTP 429). Try again in 0 s.",
    ),
    "an error in place of an answer": (
        lambda server: server.expect_request(PATH).respond_with_json(
            {"error": {"code": 429, "message": "slow down"}}
        ),
        ProviderRateLimited,
        "too many requests (HTTP 429).",
    ),
    "a wait of thousands of digits": (
        lambda server: server.expect_request(PATH).respond_with_json(
            {}, status=429, headers={"Retry-After": "9" * 5_000}
        ),
        ProviderRateLimited,
        "too many requests (HTTP 429).",
    ),
    "a conflict of its own": (
        lambda server: server.expect_request(PATH).respond_with_json({}, status=409),
        ProviderOverloaded,
        "is overloaded (HTTP 409).",
    ),
    "not decompressible": (
        lambda server: server.expect_request(PATH).respond_with_data(
            "garbage", headers={"Content-Encoding": "gzip"}
        ),
        ProviderAnswerInvalid,
        "makes no sense: body: it cannot be decompressed",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_run__server_fails__own_exception_and_a_receipt_without_cost(
    acme: Account, httpserver: HTTPServer, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    prepare, error, sentence = FAILURES[name]
    prepare(httpserver)
    config.AI_REQUEST_TIMEOUT_S = TIMEOUTS.get(name, 30.0)
    told, receipt = assert_fails(
        lambda: core(acme, httpserver).run_ai_request("generate_content", "x"),
        "openai",
        error,
        sentence,
    )
    assert KEY not in told + caplog.text
    assert not [request for request, _ in httpserver.log if request.path == "/elsewhere"]
    assert (receipt.provider, receipt.model_asked) == ("openai", "gpt-4o-mini")
    assert receipt.model_served == ""


def _closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def test_run__nobody_listens__is_unreachable(acme: Account) -> None:
    connection = Connection(KEY, f"http://127.0.0.1:{_closed_port()}/v1")
    with pytest.raises(ProviderUnreachable):
        AICore(acme, connections={"openai": connection}).run_ai_request("generate_content", "x")
    assert Receipt.objects.get().status == "provider_unreachable"


def test_run__no_key__offline_answers_and_the_receipt_says_so(acme: Account) -> None:
    answer = AICore(acme, connections={"openai": Connection("")}).run_ai_request(
        "generate_content", "x"
    )
    assert answer.content.startswith(LABEL)
    assert (answer.provider, Receipt.objects.get().provider) == ("offline", "offline")


def test_run__no_key_and_offline_turned_off__is_refused(acme: Account) -> None:
    config.AI_OFFLINE_ANSWERS = False
    with pytest.raises(NoUsableModel):
        AICore(acme).run_ai_request("generate_content", "x")
    assert not Receipt.objects.exists()


@pytest.mark.parametrize("model", ["nope", "gpt-4o"])
def test_run__model_unknown_or_inactive__is_refused_and_nothing_is_sent(
    acme: Account, httpserver: HTTPServer, model: str
) -> None:
    AIModel.objects.filter(model_id="gpt-4o").update(is_active=False)
    with pytest.raises(
        ModelNotAvailable,
        match=rf"^Model '{model}' is not supported. Available models: \['gpt-4o-mini', 'gpt-4.1'",
    ):
        core(acme, httpserver).run_ai_request("generate_content", "x", model=model)
    assert not httpserver.log
    assert not Receipt.objects.exists()


def test_run__task_of_another_type__is_refused(acme: Account) -> None:
    with pytest.raises(WrongTaskType, match="'generate_images' takes a model of type"):
        AICore(acme).run_ai_request("generate_images", "x")


@pytest.mark.parametrize("prompt", ["", " \n"])
def test_run__empty_prompt__is_refused(acme: Account, prompt: str) -> None:
    with pytest.raises(EmptyPrompt):
        AICore(acme).run_ai_request("generate_content", prompt)


def test_run__account_suspended__is_refused(acme: Account) -> None:
    acme.status = AccountStatus.SUSPENDED
    with pytest.raises(AccountNotActive, match="'acme' is suspended"):
        AICore(acme).run_ai_request("generate_content", "x")


def test_run__cut_off__the_receipt_says_interrupted(acme: Account, httpserver: HTTPServer) -> None:
    def cut_off(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    def answer(request: Request) -> Response:
        os.kill(os.getpid(), signal.SIGALRM)
        return _slow(request)

    httpserver.expect_request(PATH).respond_with_handler(answer)
    old = signal.signal(signal.SIGALRM, cut_off)
    try:
        with pytest.raises(KeyboardInterrupt):
            core(acme, httpserver).run_ai_request("generate_content", "x")
    finally:
        signal.signal(signal.SIGALRM, old)
    assert Receipt.objects.get().status == "interrupted"


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.parametrize(
    "change",
    [
        lambda: Account.objects.create(key="new", name="New"),
        lambda: AIModel.objects.filter(model_id="gpt-4o").update(sort_order=5),
    ],
)
def test_run__inside_a_transaction_that_changed_what_decides__is_refused_and_nothing_is_sent(
    acme: Account, httpserver: HTTPServer, settings: Settings, change: Callable[[], object]
) -> None:
    settings.AI_TEST_CASE_TRANSACTIONS = 0
    with transaction.atomic():
        change()
        with pytest.raises(OpenTransaction):
            core(acme, httpserver).run_ai_request("generate_content", "x")
    assert not httpserver.log


class Undone(Exception):
    pass


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.parametrize("is_undone", [False, True])
def test_run__inside_another_transaction__is_recorded_whatever_becomes_of_that(
    acme: Account, httpserver: HTTPServer, settings: Settings, *, is_undone: bool
) -> None:
    settings.AI_TEST_CASE_TRANSACTIONS = 0
    httpserver.expect_request(PATH).respond_with_json(completion())
    with suppress(Undone), transaction.atomic():
        answer = core(acme, httpserver).run_ai_request("generate_content", "x")
        if is_undone:
            raise Undone
    assert draining.drain() == 2
    receipt = Receipt.objects.get()
    assert (receipt.request_id, receipt.state, receipt.cost) == (
        answer.request_id,
        "settled",
        answer.cost,
    )


@pytest.mark.parametrize("prompt", ["a\0", "half \udcff"])
def test_run__character_that_nothing_can_carry__is_refused(acme: Account, prompt: str) -> None:
    with pytest.raises(InvalidCharacter, match="at position"):
        AICore(acme).run_ai_request("generate_content", prompt)


def test_run__more_tokens_than_the_ledger_can_hold__never_happen(
    acme: Account, httpserver: HTTPServer
) -> None:
    """The most tokens at the dearest rate still fit."""
    AIModel.objects.filter(model_id="gpt-4o-mini").update(input_rate="4999", output_rate="4000")
    usage = {"prompt_tokens": 10**9, "completion_tokens": 10**9}
    httpserver.expect_request(PATH).respond_with_json(completion(usage=usage))
    answer = core(acme, httpserver).run_ai_request("generate_content", "x")
    assert answer.cost == Receipt.objects.get().cost == Decimal(8_999_000)


@pytest.mark.parametrize("value", [-5.0, 0.0, 1e12, float("nan")])
def test_run__timeout_that_makes_no_sense__is_refused(acme: Account, value: float) -> None:
    config.AI_REQUEST_TIMEOUT_S = value
    with pytest.raises(InvalidLiveSetting, match="AI_REQUEST_TIMEOUT_S"):
        AICore(acme).run_ai_request("generate_content", "x")


def test_run__environment_names_another_server__a_given_key_does_not_go_there(
    acme: Account, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", httpserver.url_for("/v1"))
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    client = _client(Connection("sk-only-for-this-test"))
    assert str(client.base_url) == "https://api.openai.com/v1/"
    assert (client.organization, client.project) == (None, None)


def test_connection__printed__hides_the_key() -> None:
    assert KEY not in repr(Connection(KEY, "http://x"))


@pytest.mark.parametrize("name", ["401", "429", "500", "slow", "not JSON"])
def test_command__server_fails__one_sentence_and_exit_1(
    manage: Manage,
    settings: Settings,
    httpserver: HTTPServer,
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    caplog.set_level(logging.ERROR, "werkzeug")  # the server's own lines
    prepare, _, sentence = FAILURES[name]
    prepare(httpserver)
    manage("constance", "set", "AI_REQUEST_TIMEOUT_S", "0.2" if name == "slow" else "30")
    reached = {"api_key": KEY, "base_url": httpserver.url_for("/v1")}
    settings.AI_CONNECTIONS = {"openai": reached}
    done = manage("run_ai", "acme", "generate_content", "--prompt=x")
    assert (done.returncode, done.stdout) == (1, "")
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert KEY not in done.stderr


def test_command__server_answers__shows_answer_and_cost(
    manage_process: Manage, httpserver: HTTPServer
) -> None:
    httpserver.expect_request(PATH).respond_with_json(completion())
    done = manage_process(
        "run_ai",
        "acme",
        "generate_content",
        "--prompt=x",
        "--json",
        OPENAI_API_KEY=KEY,
        OPENAI_BASE_URL=httpserver.url_for("/v1"),
        AI_PLAIN_HTTP="true",
    )
    facts = json.loads(done.stdout)
    assert (facts["content"], facts["cost"]) == ("Tyres are round.", "0.0005253")
    assert facts["answered_by"] == "openai"


# What is billed


def priced(model_id: str, *lines: tuple[str, str, dict[str, Any]]) -> ModelPrice:
    """A price of the model from now on, its rates per million."""
    made = [
        RateLine(Meter(meter), Decimal(amount), 1_000_000, parse_condition(condition), condition)
        for meter, amount, condition in lines
    ]
    return ModelPrice.publish(AIModel.objects.get(model_id=model_id), made)


BATCH_AND_CACHE: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("input_tokens", "2.00", {}),
    ("input_tokens", "1.00", {"processing": "flex"}),
    ("cached_input_tokens", "0.50", {}),
    ("output_tokens", "8.00", {}),
    ("output_tokens", "8", {"processing": "flex"}),
)
CACHED = {
    "prompt_tokens": 100_000,
    "completion_tokens": 1_000,
    "prompt_tokens_details": {"cached_tokens": 80_000},
    "completion_tokens_details": {"reasoning_tokens": 900},
}


@pytest.mark.parametrize(
    ("tier", "cost"), [(None, "0.088"), ("default", "0.088"), ("flex", "0.068")]
)
def test_run__tokens_cached_and_tier_served__are_billed_as_served(
    acme: Account, httpserver: HTTPServer, tier: str | None, cost: str
) -> None:
    price = priced("gpt-4o-mini", *BATCH_AND_CACHE)
    served = completion(usage=CACHED, service_tier=tier)
    httpserver.expect_request(PATH).respond_with_json(served)
    answer = core(acme, httpserver).run_ai_request("generate_content", "About tyres.")
    receipt = Receipt.objects.get()
    assert answer.cost == receipt.cost == receipt.cost_computed == receipt.charge == Decimal(cost)
    assert (receipt.price, receipt.cost_reported, receipt.status) == (price, None, "ok")
    assert receipt.meters == {
        "input_tokens": 100_000,
        "cached_input_tokens": 80_000,
        "output_tokens": 1_000,
        "reasoning_tokens": 900,
    }
    amounts = [Decimal(line["amount"]) for line in receipt.lines]
    assert sum(amounts) == receipt.cost
    charged_as = [line["charged_as"] for line in receipt.lines if "charged_as" in line]
    assert charged_as == ["output_tokens"]


@pytest.mark.parametrize(
    "changes",
    [
        {"service_tier": "priority"},
        {"usage": {**CACHED, "prompt_tokens_details": {"audio_tokens": 5}}},
    ],
)
def test_run__what_has_no_price__is_answered_and_the_receipt_says_unpriced(
    acme: Account,
    httpserver: HTTPServer,
    changes: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    httpserver.expect_request(PATH).respond_with_json(completion(**changes))
    answer = core(acme, httpserver).run_ai_request("generate_content", "About tyres.")
    receipt = Receipt.objects.get()
    assert (answer.content, answer.cost) == ("Tyres are round.", None)
    assert (receipt.status, receipt.cost, receipt.lines) == ("unpriced", None, [])
    assert receipt.meters["input_tokens"] > 0
    assert "has no cost: " in caplog.text


def test_image__counted_in_number_and_in_tokens__is_billed_by_what_the_price_is_made_of(
    acme: Account, httpserver: HTTPServer
) -> None:
    AIModel.objects.filter(model_id="gpt-image-1").update(is_default=True)
    usage = {
        "input_tokens": 1_100,
        "input_tokens_details": {"image_tokens": 1_000},
        "output_tokens": 4_160,
    }
    drawn = {"created": 1, "data": [{"url": "http://127.0.0.1/1.png"}], "usage": usage}
    httpserver.expect_request("/v1/images/generations").respond_with_json(drawn)
    by_both = core(acme, httpserver).generate_image("A tyre")
    by_number_alone = headline_lines("image", [Decimal("0.042")])
    ModelPrice.publish(AIModel.objects.get(model_id="gpt-image-1"), by_number_alone)
    by_number = core(acme, httpserver).generate_image("A tyre")
    priced(
        "gpt-image-1",
        ("input_tokens", "5", {}),
        ("image_input_tokens", "8", {}),
        ("image_output_tokens", "30", {}),
    )
    by_tokens = core(acme, httpserver).generate_image("A tyre")
    assert by_both.cost == Decimal("0.1769")
    assert (by_number.cost, by_tokens.cost) == (Decimal("0.042"), Decimal("0.1333"))


# What is read off the wire: a paid answer always reaches the caller, and nothing is guessed.

USED: dict[str, tuple[Any, str]] = {
    "none": (None, "no usage block"),
    "no object": ([1], "a usage block that is no object"),
    "empty": ({}, "has no input_tokens"),
    "completion null": (
        {"prompt_tokens": 12, "completion_tokens": None, "total_tokens": 112},
        "has no completion_tokens",
    ),
    "prompt alone": ({"prompt_tokens": 1}, "has no completion_tokens"),
    "negative": ({"prompt_tokens": -1, "completion_tokens": 0}, "prompt_tokens is -1"),
    "fractional": ({"prompt_tokens": 1.5, "completion_tokens": 0}, "prompt_tokens is 1.5"),
    "as text": ({"prompt_tokens": "12", "completion_tokens": 0}, "prompt_tokens is '12'"),
    "absurd": ({"prompt_tokens": 10**18, "completion_tokens": 0}, "must be a whole number"),
    "more cached than there was": (
        {**CACHED, "prompt_tokens_details": {"cached_tokens": 100_001}},
        "cannot be part of input_tokens",
    ),
    "a total that nothing explains": (
        {"prompt_tokens": 32, "completion_tokens": 100, "total_tokens": 150},
        "total_tokens is 150: that is not 32 + 100",
    ),
    "a total without its reasoning": (
        {
            "prompt_tokens": 32,
            "completion_tokens": 100,
            "total_tokens": 150,
            "completion_tokens_details": {"reasoning_tokens": 94},
        },
        "nor with 94 of reasoning beside it",
    ),
}


@pytest.mark.parametrize("name", USED)
def test_usage__that_is_odd__the_answer_is_given_and_the_receipt_says_why(
    acme: Account, httpserver: HTTPServer, name: str
) -> None:
    usage, note = USED[name]
    httpserver.expect_request(PATH).respond_with_json(completion(usage=usage))
    answer = core(acme, httpserver).run_ai_request("generate_content", "x")
    receipt = Receipt.objects.get()
    assert (answer.content, answer.cost) == ("Tyres are round.", None)
    assert (receipt.status, receipt.cost, receipt.meters) == ("unmetered", None, {})
    assert note in receipt.usage_note
    assert json.loads(receipt.usage_block or "null") == usage


BESIDE = {
    "prompt_tokens": 32,
    "completion_tokens": 100,
    "total_tokens": 226,
    "completion_tokens_details": {"reasoning_tokens": 94},
}
OF_AUDIO = {"completion_tokens_details": {"audio_tokens": 9}}
COUNTED = {"prompt_tokens": 1_000, "completion_tokens": 500, "total_tokens": 1_500}


def test_usage__reasoning_beside_the_completion__is_billed_as_the_total_says(
    acme: Account, httpserver: HTTPServer
) -> None:
    httpserver.expect_request(PATH).respond_with_json(completion(usage=BESIDE))
    answer = core(acme, httpserver).run_ai_request("generate_content", "x")
    assert answer.cost == Decimal("0.0001212")
    assert Receipt.objects.get().output_tokens == 194


@pytest.mark.parametrize(
    ("usage", "reported", "computed", "status"),
    [
        ({**COUNTED, "cost": 0.0123}, "0.0123", "0.00045", "ok"),
        ({"cost": 0.0123}, "0.0123", None, "unmetered"),
        ({**COUNTED, "cost": 0.00012345678901234}, "0.000123456789", "0.00045", "ok"),
        (
            {**COUNTED, "completion_tokens_details": {"audio_tokens": 9}, "cost": 1},
            "1",
            None,
            "unpriced",
        ),
        ({**COUNTED, "cost": 0}, "0", "0.00045", "ok"),
    ],
)
def test_cost__that_a_provider_reports__wins_and_never_fails_a_receipt(
    acme: Account,
    httpserver: HTTPServer,
    usage: dict[str, Any],
    reported: str,
    computed: str | None,
    status: str,
) -> None:
    httpserver.expect_request(PATH).respond_with_json(completion(usage=usage))
    answer = core(acme, httpserver).run_ai_request("generate_content", "x")
    receipt = Receipt.objects.get()
    assert (answer.cost, receipt.cost, receipt.cost_reported) == (Decimal(reported),) * 3
    assert receipt.cost_computed == (None if computed is None else Decimal(computed))
    assert (receipt.status, receipt.charge) == (status, Decimal(reported))


@pytest.mark.parametrize("cost", [-1, "0.1", True, 10**9, [1]])
def test_cost__that_is_none__is_noted_and_not_taken(
    acme: Account, httpserver: HTTPServer, cost: object
) -> None:
    usage = {**COUNTED, "cost": cost}
    httpserver.expect_request(PATH).respond_with_json(completion(usage=usage))
    answer = core(acme, httpserver).run_ai_request("generate_content", "x")
    receipt = Receipt.objects.get()
    assert (answer.cost, receipt.cost_reported) == (Decimal("0.00045"), None)
    assert receipt.usage_note == f"The reported cost {cost!r} is none."


@pytest.mark.parametrize(
    ("served", "kept", "priced_as"),
    [
        ("gpt-4.1", "gpt-4.1", "gpt-4.1"),
        ("openai/gpt-4.1", "openai/gpt-4.1", "gpt-4.1"),
        ("openai/gpt-4o-mini", "openai/gpt-4o-mini", "gpt-4o-mini"),
        (None, "", "gpt-4o-mini"),
        ("m\0", "m", "gpt-4o-mini"),
        ("m" * 101, "m" * 100, "gpt-4o-mini"),
    ],
)
def test_served__model_in_other_words_or_none__is_priced_and_never_costs_the_answer(
    acme: Account, httpserver: HTTPServer, served: str | None, kept: str, priced_as: str
) -> None:
    httpserver.expect_request(PATH).respond_with_json(completion(usage=COUNTED, model=served))
    answer = core(acme, httpserver).run_ai_request("generate_content", "x")
    receipt = Receipt.objects.get()
    assert answer.content == "Tyres are round."
    assert (receipt.model_served, receipt.model_priced) == (kept, priced_as)


def test_usage__with_a_nul_in_it__is_kept_and_costs_nobody_the_answer(
    acme: Account, httpserver: HTTPServer
) -> None:
    usage = {**COUNTED, "note": "a\0b\ud800"}
    httpserver.expect_request(PATH).respond_with_json(completion(usage=usage))
    assert core(acme, httpserver).run_ai_request("generate_content", "x").content
    assert json.loads(Receipt.objects.get().usage_block) == usage


def test_image__with_text_in_its_output__is_billed_each_at_its_rate(
    acme: Account, httpserver: HTTPServer
) -> None:
    AIModel.objects.filter(model_id="gpt-image-1").update(is_default=True)
    priced(
        "gpt-image-1",
        ("input_tokens", "5", {}),
        ("output_tokens", "10", {}),
        ("image_output_tokens", "30", {}),
    )
    usage = {
        "input_tokens": 50,
        "input_tokens_details": {"text_tokens": 50, "image_tokens": 0},
        "output_tokens": 6_543,
        "output_tokens_details": {"text_tokens": 335, "image_tokens": 6_208},
        "total_tokens": 6_593,
    }
    drawn = {"created": 1, "data": [{"url": "http://127.0.0.1/1.png"}], "usage": usage}
    httpserver.expect_request("/v1/images/generations").respond_with_json(drawn)
    assert core(acme, httpserver).generate_image("A tyre").cost == Decimal("0.18984")


RETRIED = {ProviderFailed, ProviderOverloaded, ProviderRateLimited}
STAYS = {ProviderContentRefused, ProviderRequestRefused}


def test_errors__each__says_whether_it_is_retried_and_whether_another_model_may_answer() -> None:
    kinds: set[type[ProviderError]] = {kind for _, kind, _ in FAILURES.values()}
    kinds |= {ProviderUnreachable, ProviderUnforeseen}
    assert {kind for kind in kinds if kind.is_retryable} == RETRIED
    assert {kind for kind in kinds if not kind.may_fall_back} == STAYS
    assert ProviderUnreachable("openai", was_sent=False).is_retryable
    assert not ProviderUnreachable("openai").is_retryable  # it may have been paid for


def test_error__that_nobody_foresaw__is_ours_with_its_cause(
    acme: Account, httpserver: HTTPServer
) -> None:
    """A header that is none makes the SDK raise what is not its own."""
    connection = Connection("sk-\nplanted", httpserver.url_for("/v1"))
    with pytest.raises(ProviderError) as caught:
        AICore(acme, connections={"openai": connection}).run_ai_request("generate_content", "x")
    assert caught.value.__cause__ is not None
    assert "planted" not in str(caught.value)
    assert Receipt.objects.get().status == caught.value.code


def test_client__after_a_fork__is_made_anew() -> None:
    parent = _client(Connection(KEY, "http://127.0.0.1:1/v1"))
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        other = _client(Connection(KEY, "http://127.0.0.1:1/v1"))
        os.write(write, b"same" if other is parent else b"anew")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 4) == b"anew"
    assert _client(Connection(KEY, "http://127.0.0.1:1/v1")) is parent


def test_tier__that_is_asked_for_and_that_the_price_names__is_billed_by_it(
    acme: Account, httpserver: HTTPServer
) -> None:
    """A tier by any name that a provider reports."""
    priced(
        "gpt-4o-mini",
        ("input_tokens", "1", {}),
        ("output_tokens", "1", {}),
        ("input_tokens", "0.5", {"processing": "on_demand"}),
        ("output_tokens", "0.25", {"processing": "on_demand"}),
    )
    served = completion(usage=COUNTED, service_tier="on_demand")
    httpserver.expect_request(PATH).respond_with_json(served)
    parameters = {"service_tier": "on_demand"}
    answer = core(acme, httpserver).run_ai_request("generate_content", "x", parameters=parameters)
    assert answer.cost == (1_000 * Decimal("0.5") + 500 * Decimal("0.25")) / 1_000_000
    ((request, _),) = httpserver.log
    assert json.loads(request.get_data())["service_tier"] == "on_demand"
    with pytest.raises(InvalidParameter, match="service_tier is 'On demand'"):
        core(acme, httpserver).run_ai_request(
            "generate_content", "x", parameters={"service_tier": "On demand"}
        )


@pytest.mark.parametrize(
    ("drawn", "cost"),
    [({"quality": "high", "size": "1024x1024"}, "0.167"), ({}, "0.042"), ({"quality": 7}, "0.042")],
)
def test_image__is_billed_by_the_quality_that_was_drawn_else_asked_for(
    acme: Account, httpserver: HTTPServer, drawn: dict[str, Any], cost: str
) -> None:
    AIModel.objects.filter(model_id="gpt-image-1").update(is_default=True)
    rates = {"medium": "0.042", "high": "0.167"}
    lines = [
        RateLine(Meter.IMAGES, Decimal(rate), 1, parse_condition(written), written)
        for quality, rate in rates.items()
        for written in ({"quality": quality},)
    ]
    ModelPrice.publish(AIModel.objects.get(model_id="gpt-image-1"), lines)
    body = {"created": 1, "data": [{"url": "http://127.0.0.1/1.png"}], **drawn}
    httpserver.expect_request("/v1/images/generations").respond_with_json(body)
    answer = core(acme, httpserver).generate_image("x", parameters={"image_quality": "medium"})
    assert answer.cost == Decimal(cost)
    ((request, _),) = httpserver.log
    assert json.loads(request.get_data())["quality"] == "medium"


@pytest.mark.parametrize("tier", [{}, [], 7])
def test_tier__that_is_no_name__costs_nobody_the_answer(
    acme: Account, httpserver: HTTPServer, tier: object
) -> None:
    httpserver.expect_request(PATH).respond_with_json(completion(usage=COUNTED, service_tier=tier))
    assert core(acme, httpserver).run_ai_request("generate_content", "x").content
    assert Receipt.objects.get().status == "unpriced"
