"""A request against a server that fails: again, by the next model, or left alone for a moment."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync
from constance import config
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from flags import publishing
from flags.models import AccountOverride, Flag, Variant
from igny8_core.ai import providers, words
from igny8_core.ai.ai_core import AICore
from igny8_core.ai.errors import CostTooHigh, InvalidMaxCost, ModelNotAvailable, StreamUsed
from igny8_core.ai.providers import IMPLEMENTED, circuits
from igny8_core.ai.providers.base import Connection, Provider, ProviderAnswer, TextRequest
from igny8_core.ai.providers.errors import (
    ProviderCannot,
    ProviderError,
    ProviderFailed,
    ProviderRateLimited,
    ProviderRequestRefused,
    ProviderTimeout,
    ProviderUnforeseen,
    ProviderUnreachable,
)
from igny8_core.ai.resolver import resolve
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.models import AIModel, AIProvider, GlobalIntegrationSettings
from igny8_core.modules.usage.models import Receipt
from tests.conftest import point
from tests.igny8_core.ai.test_ai_core import completion

pytestmark = pytest.mark.django_db

TASK = "generate_content"
FIRST, SECOND, THIRD = "gpt-4o", "gpt-4.1", "gpt-4o-mini"


class Server:
    """Answers each model as it is told; what it has not been told it answers well."""

    def __init__(self, server: HTTPServer) -> None:
        self.url = server.url_for("/v1")
        self.asked: list[str] = []
        self._told: dict[str, list[Response | Callable[[], Response]]] = {}
        server.expect_request("/v1/chat/completions").respond_with_handler(self._answer)

    def will(self, model: str, *responses: Response | Callable[[], Response]) -> None:
        self._told[model] = [*responses]

    def _answer(self, request: Request) -> Response:
        body = json.loads(request.get_data())
        self.asked.append(body["model"])
        waiting = self._told.get(body["model"], [])
        if waiting:
            told = waiting.pop(0)
            return told if isinstance(told, Response) else told()
        said = completion(model=body["model"])
        return Response(json.dumps(said), content_type="application/json")


@pytest.fixture
def server() -> Iterator[Server]:
    with HTTPServer(host="127.0.0.1", threaded=True) as own:
        yield Server(own)


@pytest.fixture
def core(acme: Account, server: Server) -> AICore:
    """The task's flag serves the first model, the type's the second; the third is the default."""
    for name, model in ((TASK, FIRST), ("text", SECOND)):
        flag = Flag.objects.get(name=name)
        Variant.objects.create(flag=flag, key="own", value=model)
        Variant.objects.create(flag=flag, key="default", value=THIRD)
        flag.default = {"variant": "own"}
        flag.save()
    point("openai", server.url)
    publishing.publish_pending()
    row = GlobalIntegrationSettings()
    row.openai_api_key = "sk-1"
    row.save()
    return AICore(acme)


def failed(status: int = 500, **headers: str) -> Response:
    return Response("{}", status=status, headers=headers, content_type="application/json")


def attempts() -> list[tuple[str, str]]:
    return [(each["model"], each["status"]) for each in Receipt.objects.get().attempts]


def test_failure__that_may_pass__is_tried_again(core: AICore, server: Server) -> None:
    server.will(FIRST, failed())
    answer = core.run_ai_request(TASK, "x")
    assert (answer.content, server.asked) == ("Tyres are round.", [FIRST, FIRST])
    assert attempts() == [(FIRST, "provider_failed"), (FIRST, "ok")]
    receipt = Receipt.objects.get()
    assert (receipt.status, receipt.state, receipt.outcome) == ("ok", "settled", "ok")
    assert receipt.cost == answer.cost
    assert Decimal(receipt.attempts[-1]["cost"]) == answer.cost


def test_failure__that_stays__is_answered_by_the_next_model_at_its_own_price(
    core: AICore, server: Server
) -> None:
    server.will(FIRST, failed(), failed())
    answer = core.run_ai_request(TASK, "x", parameters={"max_tokens": 100})
    assert server.asked == [FIRST, FIRST, SECOND]
    receipt = Receipt.objects.get()
    assert (receipt.model_asked, receipt.model_served, receipt.model_priced) == (
        FIRST,
        SECOND,
        SECOND,
    )
    assert answer.resolution.model.model_id == SECOND
    assert receipt.parameters == {"max_tokens": 100}


def test_failure__of_every_model__is_the_last_ones_and_each_is_on_the_receipt(
    core: AICore, server: Server
) -> None:
    for model in (FIRST, SECOND, THIRD):
        server.will(model, failed(), failed(529))
    with pytest.raises(ProviderError) as caught:
        core.run_ai_request(TASK, "x")
    assert server.asked == [FIRST, FIRST, SECOND, SECOND, THIRD, THIRD]
    receipt = Receipt.objects.get()
    assert (receipt.status, receipt.cost, receipt.outcome) == (
        "provider_overloaded",
        None,
        "provider_overloaded",
    )
    assert caught.value.code == receipt.status
    assert [status for _, status in attempts()] == ["provider_failed", "provider_overloaded"] * 3


@pytest.mark.parametrize(
    ("response", "error"),
    [(failed(400), ProviderRequestRefused)],
)
def test_failure__that_another_model_would_meet_too__is_told_at_once(
    core: AICore, server: Server, response: Response, error: type[ProviderError]
) -> None:
    server.will(FIRST, response)
    with pytest.raises(error):
        core.run_ai_request(TASK, "x")
    assert server.asked == [FIRST]


def test_key__that_is_refused__is_not_tried_again_but_another_model_is(
    core: AICore, server: Server
) -> None:
    server.will(FIRST, failed(401))
    core.run_ai_request(TASK, "x")
    assert server.asked == [FIRST, SECOND]


def test_retry_after__that_is_short__is_waited_for_and_a_long_one_falls_back(
    core: AICore, server: Server
) -> None:
    server.will(FIRST, failed(429, **{"Retry-After": "1"}))
    began_s = time.monotonic()
    core.run_ai_request(TASK, "x")
    assert time.monotonic() - began_s >= 1
    assert server.asked == [FIRST, FIRST]
    server.asked.clear()
    server.will(FIRST, failed(429, **{"Retry-After": "60"}))
    began_s = time.monotonic()
    core.run_ai_request(TASK, "x")
    assert time.monotonic() - began_s < 30
    assert server.asked == [FIRST, SECOND]


def test_model__that_is_named__is_never_replaced(core: AICore, server: Server) -> None:
    server.will(FIRST, failed(), failed())
    with pytest.raises(ProviderFailed):
        core.run_ai_request(TASK, "x", model=FIRST)
    assert server.asked == [FIRST, FIRST]


@pytest.mark.parametrize("is_allowed", [False, True])
def test_override__falls_back_only_where_the_setting_says_so(
    core: AICore, server: Server, *, is_allowed: bool
) -> None:
    AccountOverride.objects.create(
        account=core.account, flag=Flag.objects.get(name=TASK), variant="default", reason="x"
    )
    config.AI_FALLBACK_OF_OVERRIDES = is_allowed
    server.will(THIRD, failed(), failed())
    if is_allowed:
        core.run_ai_request(TASK, "x")
    else:
        with pytest.raises(ProviderFailed):
            core.run_ai_request(TASK, "x")
    assert (len(server.asked) > 2) is is_allowed


def test_fallback__turned_off__tells_the_failure(core: AICore, server: Server) -> None:
    config.AI_FALLBACK = False
    server.will(FIRST, failed(), failed())
    with pytest.raises(ProviderFailed):
        core.run_ai_request(TASK, "x")


def test_fallback__that_cannot_hold_the_prompt__is_passed_over(
    core: AICore, server: Server
) -> None:
    AIModel.objects.filter(model_id=SECOND).update(context_window=10)
    publishing.publish_pending()
    server.will(FIRST, failed(), failed())
    core.run_ai_request(TASK, "word " * 100)
    assert server.asked == [FIRST, FIRST, THIRD]


def test_circuit__after_failures_in_a_row__leaves_the_model_alone_and_recovers_by_itself(
    core: AICore, server: Server
) -> None:
    config.AI_CIRCUIT_FAILURES, config.AI_CIRCUIT_OPEN_S = 2, 600.0
    server.will(FIRST, failed(), failed())
    core.run_ai_request(TASK, "x")
    assert circuits.open_now() == [FIRST]
    found = resolve(core.account, TASK, explain=True)
    assert found.model.model_id == SECOND
    assert "failed too often" in "".join(words.trail_lines(found.trail or (), explained))
    with pytest.raises(ModelNotAvailable, match="failed too often"):
        core.run_ai_request(TASK, "x", model=FIRST)
    core.run_ai_request(TASK, "x")
    last = Receipt.objects.order_by("pk").last()
    assert last is not None
    assert last.refused == {FIRST: "CIRCUIT_OPEN"}
    circuits.opened[FIRST] = time.monotonic()  # its time is over
    assert resolve(core.account, TASK).model.model_id == FIRST
    core.run_ai_request(TASK, "x")
    assert circuits.opened == {}


def explained(decision: Any) -> list[str]:
    return [str(decision)]


def test_circuit__of_a_wrong_key__never_opens(core: AICore, server: Server) -> None:
    config.AI_CIRCUIT_FAILURES = 1
    server.will(FIRST, failed(401))
    core.run_ai_request(TASK, "x")
    assert circuits.opened == {}


def test_max_cost__that_the_worst_case_exceeds__is_refused_before_anything_is_sent(
    core: AICore, server: Server
) -> None:
    with pytest.raises(CostTooHigh, match="may cost up to") as caught:
        core.run_ai_request(TASK, "x", max_cost=Decimal("0.0001"))
    assert (server.asked, Receipt.objects.count()) == ([], 0)
    core.run_ai_request(TASK, "x", max_cost=caught.value.cost)
    assert server.asked == [FIRST]


def test_max_cost__of_a_fallback__is_checked_again(core: AICore, server: Server) -> None:
    AIModel.objects.filter(model_id=SECOND).update(output_rate=Decimal(1_000))
    publishing.publish_pending()
    server.will(FIRST, failed(), failed())
    core.run_ai_request(TASK, "x", max_cost=Decimal("0.2"))
    assert server.asked == [FIRST, FIRST, THIRD]


def events(*texts: str, is_cut: bool = False) -> Response:
    chunks: list[dict[str, Any]] = [
        {"model": FIRST, "choices": [{"index": 0, "delta": {"content": text}}]} for text in texts
    ]
    if not is_cut:
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    lines = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
    return Response(lines, content_type="text/event-stream")


def test_stream__that_fails_before_its_first_piece__falls_back(
    core: AICore, server: Server
) -> None:
    server.will(FIRST, failed(), failed())
    server.will(SECOND, events("Round", " tyres."))
    stream = core.stream_ai_request(TASK, "x")
    assert [*stream] == ["Round", " tyres."]
    assert server.asked == [FIRST, FIRST, SECOND]
    assert stream.answer is not None
    assert stream.answer.resolution.model.model_id == SECOND


def test_stream__that_fails_after_a_piece__is_told_and_not_tried_again(
    core: AICore, server: Server
) -> None:
    server.will(FIRST, events("Round", is_cut=True))
    stream = core.stream_ai_request(TASK, "x")
    pieces = iter(stream)
    assert next(pieces) == "Round"
    with pytest.raises(ProviderError, match="ends in the middle"):
        next(pieces)
    assert server.asked == [FIRST]
    assert stream.answer is not None
    assert stream.answer.content == "Round"


def test_nobody_there__was_not_sent(core: AICore, acme: Account) -> None:
    config.AI_FALLBACK = False
    nowhere = AICore(acme, connections={"openai": Connection("sk-1", "http://127.0.0.1:1/v1")})
    with pytest.raises(ProviderUnreachable):
        nowhere.run_ai_request(TASK, "x")
    assert Receipt.objects.get().is_sent is False


def test_rate_limit__of_every_model__says_when(core: AICore, server: Server) -> None:
    for model in (FIRST, SECOND, THIRD):
        server.will(model, failed(429, **{"Retry-After": "60"}))
    with pytest.raises(ProviderRateLimited, match="Try again in 60 s"):
        core.run_ai_request(TASK, "x")
    assert server.asked == [FIRST, SECOND, THIRD]


def test_circuit__of_a_callers_own_connections__is_nobody_elses(
    core: AICore, server: Server
) -> None:
    config.AI_CIRCUIT_FAILURES = 1
    server.will(FIRST, failed(), failed())
    own = AICore(core.account, connections={"openai": Connection("sk-1", server.url)})
    own.run_ai_request(TASK, "x")
    assert circuits.opened == {}


def test_timeout__which_may_have_been_paid__is_not_sent_again(core: AICore, server: Server) -> None:
    def late() -> Response:
        time.sleep(1.5)
        return failed()

    config.AI_REQUEST_TIMEOUT_S, config.AI_FALLBACK = 0.5, False
    server.will(FIRST, late)
    with pytest.raises(ProviderTimeout):
        core.run_ai_request(TASK, "x")
    assert server.asked == [FIRST]


class Broken(Provider):
    """A host's class that raises what it likes."""

    async def complete(self, request: TextRequest) -> ProviderAnswer[str]:
        message = f"{request.prompt} {self.connection.api_key}\0\n"
        raise ValueError(message)


@pytest.fixture
def broken(acme: Account) -> AICore:
    if "broken" not in IMPLEMENTED:
        providers.register("broken", "Broken", Broken)
    AIProvider.objects.create(
        name="broken", display_name="B", protocol="broken", base_url="https://broken.example"
    )
    AIModel.objects.filter(model_id=FIRST).update(provider="broken")
    publishing.publish_pending()
    return AICore(acme, connections={"broken": Connection("sk-planted", "https://x.example")})


def test_class__that_raises_anything__fails_as_ours_and_leaks_nothing(
    broken: AICore, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ProviderUnforeseen) as caught:
        broken.run_ai_request(TASK, "planted prompt", model=FIRST)
    assert isinstance(caught.value.__cause__, ValueError)
    receipt = Receipt.objects.get()
    assert (receipt.state, receipt.status) == ("settled", "provider_unforeseen")
    assert "planted" not in f"{caught.value} {caplog.text} {receipt.attempts}"


def test_class__that_cannot_stream__says_so_and_its_request_may_run_again(
    broken: AICore,
) -> None:
    request_id = uuid4()
    for _ in range(2):
        with pytest.raises(ProviderCannot, match="cannot stream a text"):
            [*broken.stream_ai_request(TASK, "x", model=FIRST, request_id=request_id)]
    receipt = Receipt.objects.get()
    assert (receipt.status, receipt.is_sent) == ("provider_cannot", False)


def test_stream__iterated_twice__is_refused(core: AICore, server: Server) -> None:
    server.will(FIRST, events("a"))
    stream = core.stream_ai_request(TASK, "x")
    assert [*stream] == ["a"]
    with pytest.raises(StreamUsed):
        next(iter(stream))
    assert server.asked == [FIRST]


STREAMS: dict[str, str] = {
    "CR alone": 'data: {"choices":[{"delta":{"content":"Round"}}]}\r\rdata: [DONE]\r\r',
    "CR LF": 'data: {"choices":[{"delta":{"content":"Round"}}]}\r\n\r\ndata: [DONE]\r\n\r\n',
    "a mark of its byte order": (
        '\ufeffdata: {"choices":[{"delta":{"content":"Round"}}]}\n\ndata: [DONE]\n\n'
    ),
    "empty data": 'data:\n\ndata: {"choices":[{"delta":{"content":"Round"}}]}\n\ndata: [DONE]\n\n',
    "comments": (
        ': wait\n\nevent: x\ndata: {"choices":[{"delta":{"content":"Round"}}]}\n\ndata: [DONE]\n\n'
    ),
    "no end of the last line": (
        'data: {"choices":[{"delta":{"content":"Round"}}]}\n\n'
        'data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,'
        '"completion_tokens":2}}'
    ),
    "parts": (
        'data: {"choices":[{"delta":{"content":[{"type":"text","text":"Round"}]}}]}\n\n'
        "data: [DONE]\n\n"
    ),
}


@pytest.mark.parametrize("name", STREAMS)
def test_stream__written_in_another_way__is_read(core: AICore, server: Server, name: str) -> None:
    server.will(FIRST, Response(STREAMS[name].encode(), content_type="text/event-stream"))
    assert [*core.stream_ai_request(TASK, "x")] == ["Round"]
    assert server.asked == [FIRST]


@pytest.mark.parametrize("max_cost", ["0.1", 0.1, Decimal("nan"), Decimal(-1)])
def test_max_cost__that_is_none__is_refused(core: AICore, server: Server, max_cost: Any) -> None:
    with pytest.raises(InvalidMaxCost):
        core.run_ai_request(TASK, "x", max_cost=max_cost)
    assert server.asked == []


def test_coroutine__cancelled_at_any_moment__leaves_no_receipt_open(
    core: AICore, server: Server
) -> None:
    async def cancelled_after(delay_s: float, *, twice: bool) -> None:
        call = asyncio.ensure_future(core.arun_ai_request(TASK, "x"))
        await asyncio.sleep(delay_s)
        call.cancel()
        if twice:
            await asyncio.sleep(0)
            call.cancel()
        with suppress(asyncio.CancelledError):
            await call

    for step in range(12):
        async_to_sync(cancelled_after)(step * 0.002, twice=step % 2 == 0)
    assert not Receipt.objects.filter(state="open").exists()
    sent = Receipt.objects.filter(is_sent=True).count()
    assert sent >= len(server.asked)
    # What was answered before it could be cut off is paid, and says so.
    assert Receipt.objects.filter(status="ok", cost=None).count() == 0


def test_refusal__that_quotes_prompt_or_key__is_told_without_them(
    core: AICore, server: Server
) -> None:
    prompt = "Our unannounced merger with the northern plant, in all its details. " * 5
    quoted = {"error": {"message": f"Bad input: '{prompt[:60]}' by sk-1-planted-key, at 7."}}
    server.will(FIRST, Response(json.dumps(quoted), status=400, content_type="application/json"))
    own = AICore(core.account, connections={"openai": Connection("sk-1-planted-key", server.url)})
    with pytest.raises(ProviderRequestRefused) as caught:
        own.run_ai_request(TASK, prompt)
    assert "merger" not in str(caught.value)
    assert "planted" not in str(caught.value)
    assert str(caught.value).endswith("Bad input: '…' by …, at 7.")
