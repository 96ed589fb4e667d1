"""What every provider of text does alike, over real HTTP and through its official SDK."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from asgiref.sync import async_to_sync
from constance import config

from flags import publishing
from igny8_core.ai.ai_core import AICore
from igny8_core.ai.providers.base import Connection, Image
from igny8_core.ai.providers.errors import (
    ProviderAnswerInvalid,
    ProviderError,
    ProviderFailed,
    ProviderKeyRefused,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnreachable,
)
from igny8_core.ai.request.answers import Answer
from igny8_core.ai.request.streamed import Streamed
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.models import AIModel
from igny8_core.modules.usage.models import Receipt
from igny8_core.tasks.needs import Needs
from tests.igny8_core.ai.providers.conftest import KEY
from tests.igny8_core.ai.providers.failing import one_attempt

__all__ = ["one_attempt"]

pytestmark = pytest.mark.django_db

TEXT = "Tyres are round, and black."
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "YPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


class Spoken(NamedTuple):
    """A protocol, the model that is asked in it, and the path that stands before its own."""

    provider: str
    model: str
    path: str = ""


PROTOCOLS = [
    Spoken("openai", "gpt-4o-mini", "/v1"),
    Spoken("anthropic", "claude-3-sonnet"),
    Spoken("google", "gemini-3-flash"),
]


class Asked(NamedTuple):
    """An account's pipeline against the server, by one protocol."""

    core: AICore
    model: str

    def __call__(self, prompt: str, **options: Any) -> Answer[str]:
        return self.core.run_ai_request("generate_content", prompt, model=self.model, **options)

    async def later(self, prompt: str) -> Answer[str]:
        return await self.core.arun_ai_request("generate_content", prompt, model=self.model)

    def streamed(self, prompt: str) -> Streamed:
        return self.core.stream_ai_request("generate_content", prompt, model=self.model)


@pytest.fixture(params=PROTOCOLS, ids=lambda spoken: spoken.provider)
def spoken(request: pytest.FixtureRequest) -> Spoken:
    found: Spoken = request.param
    return found


@pytest.fixture
def asked(acme: Account, aimock: str, spoken: Spoken) -> Asked:
    rates = {"input_rate": Decimal(1), "output_rate": Decimal(10)}
    fields = {"provider": spoken.provider, "model_type": "text", "supports_vision": True, **rates}
    AIModel.objects.filter(model_id=spoken.model).delete()
    AIModel.objects.create(model_id=spoken.model, display_name="Asked", **fields)
    publishing.publish_pending()
    connection = Connection(KEY, aimock + spoken.path)
    return Asked(AICore(acme, connections={spoken.provider: connection}), spoken.model)


def sync(asked: Asked, prompt: str) -> object:
    return asked(prompt)


def in_a_loop(asked: Asked, prompt: str) -> object:
    return async_to_sync(asked.later)(prompt)


def as_it_comes(asked: Asked, prompt: str) -> object:
    return [*asked.streamed(prompt)]


def as_it_comes_in_a_loop(asked: Asked, prompt: str) -> object:
    async def pieces() -> list[str]:
        return [piece async for piece in asked.streamed(prompt)]

    return async_to_sync(pieces)()


WAYS: list[Callable[[Asked, str], object]] = [
    sync,
    in_a_loop,
    as_it_comes,
    as_it_comes_in_a_loop,
]


@pytest.mark.parametrize("way", WAYS)
def test_text__each_way__is_the_same_with_its_meters_to_the_token(
    asked: Asked, way: Callable[[Asked, str], object]
) -> None:
    given = way(asked, "About tyres.")
    receipt = Receipt.objects.get()
    assert receipt.status == "ok"
    assert receipt.meters == {"input_tokens": 1_000, "output_tokens": 500}
    assert receipt.cost == Decimal("0.006")
    if isinstance(given, list):
        assert len(given) > 1
        assert "".join(given) == TEXT
    else:
        assert isinstance(given, Answer)
        assert (given.content, given.cost) == (TEXT, receipt.cost)


def test_stream__at_its_end__has_the_answer_and_its_receipt(asked: Asked) -> None:
    stream = asked.streamed("About tyres.")
    assert "".join(stream) == TEXT
    assert stream.answer is not None
    assert stream.answer.content == TEXT
    assert stream.answer.request_id == Receipt.objects.get().request_id


def test_json_mode__and_a_picture_that_is_shown__are_answered(asked: Asked) -> None:
    answer = asked("Say it as JSON.", needs=Needs(json_mode=True))
    assert json.loads(answer.content) == {"answer": "round"}
    assert asked("What is in the picture?", images=[Image(None, PIXEL)]).content == "A red dot."


def test_answer__that_is_empty__is_one(asked: Asked) -> None:
    assert asked("Say nothing.").content == ""
    assert Receipt.objects.get().status == "ok"


FAILURES: dict[str, tuple[type[ProviderError], str]] = {
    "too many": (ProviderRateLimited, "Try again in 9 s."),
    "oops": (ProviderFailed, "HTTP 500"),
    "overloaded": (ProviderOverloaded, "HTTP 529"),
    "malformed": (ProviderAnswerInvalid, "makes no sense"),
    "disconnect": (ProviderUnreachable, "cannot be reached"),
    "hang": (ProviderTimeout, "did not answer within 0.3 s"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("prompt", FAILURES)
def test_failure__each_way__is_one_error_and_a_receipt_without_cost(
    asked: Asked, way: Callable[[Asked, str], object], prompt: str
) -> None:
    error, sentence = FAILURES[prompt]
    if prompt == "hang":
        config.AI_REQUEST_TIMEOUT_S = 0.3
    with pytest.raises(error, match=sentence) as caught:
        way(asked, prompt)
    assert type(caught.value) is error
    receipt = Receipt.objects.get()
    assert (receipt.status, receipt.cost) == (error.code, None)


def test_key__that_is_wrong__is_refused(
    acme: Account, asked: Asked, aimock: str, spoken: Spoken
) -> None:
    connection = Connection("sk-wrong", aimock + spoken.path)
    core = AICore(acme, connections={spoken.provider: connection})
    with pytest.raises(ProviderKeyRefused):
        core.run_ai_request("generate_content", "About tyres.", model=asked.model)


def test_stream__that_breaks_off__is_told_and_what_came_is_kept(asked: Asked) -> None:
    stream = asked.streamed("cut off")
    with pytest.raises(ProviderError):
        "".join(stream)
    assert stream.answer is not None
    assert stream.answer.content.startswith("word ")
    receipt = Receipt.objects.get()
    assert receipt.status in {ProviderUnreachable.code, ProviderAnswerInvalid.code}
    assert (receipt.cost, receipt.usage_note) == (None, "It was left before the provider ended it.")


def test_stream__that_is_left__ends_the_call_and_is_recorded(asked: Asked) -> None:
    stream = asked.streamed("Say it slowly.")
    pieces = stream.pieces()
    assert next(pieces)
    pieces.close()
    assert stream.answer is not None
    assert stream.answer.content.startswith("word")
    assert len(stream.answer.content) < len("word " * 200)
    assert Receipt.objects.get().status == "interrupted"


def test_stream__that_is_left_in_a_loop__ends_the_call_and_is_recorded(asked: Asked) -> None:
    stream = asked.streamed("Say it slowly.")

    async def first() -> str:
        pieces = stream.apieces()
        found: str = await anext(pieces)
        await pieces.aclose()
        return found

    assert async_to_sync(first)()
    assert stream.answer is not None
    assert stream.answer.content.startswith("word")
    assert Receipt.objects.get().status == "interrupted"


def test_call__that_is_cancelled__is_cut_off_and_recorded(asked: Asked) -> None:
    async def cancelled() -> None:
        call = asyncio.ensure_future(asked.later("hang"))
        await asyncio.sleep(0.5)
        call.cancel()
        await call

    with pytest.raises(asyncio.CancelledError):
        async_to_sync(cancelled)()
    assert Receipt.objects.get().status == "interrupted"


def test_calls__fifty_at_once_in_a_loop__each_get_their_own_answer(asked: Asked) -> None:
    prompts = ["About tyres.", "Say nothing."] * 25

    async def all_of_them() -> list[Answer[str]]:
        return await asyncio.gather(*(asked.later(prompt) for prompt in prompts))

    answers = async_to_sync(all_of_them)()
    assert [answer.content for answer in answers] == [TEXT, ""] * 25
    assert Receipt.objects.filter(status="ok").count() == 50


@pytest.mark.parametrize("way", WAYS)
def test_logs__of_everybody_at_their_loudest__have_neither_key_nor_prompt_nor_answer(
    asked: Asked, way: Callable[[Asked, str], object], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("openai", "anthropic", "google_genai", "httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    way(asked, "About tyres, planted-in-the-prompt.")
    with pytest.raises(ProviderFailed):
        way(asked, "oops planted-in-the-prompt")
    said = "\n".join(f"{record.getMessage()} {record.exc_text}" for record in caplog.records)
    assert "127.0.0.1: HTTP 200" in said
    assert KEY not in said
    assert "planted-in-the-prompt" not in said
    assert TEXT not in said
