"""What account and platform have set, as it reaches the provider and the receipt."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings
from pytest_httpserver import HTTPServer

from igny8_core.ai.ai_core import AICore
from igny8_core.ai.providers.base import Image
from igny8_core.ai.providers.errors import ProviderAnswerInvalid, ProviderError
from igny8_core.ai.resolution import Reason, Refusal, TrailEntry
from igny8_core.ai.resolver import resolve
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.models import (
    AIModel,
    AIPrompt,
    GlobalAIPrompt,
    GlobalIntegrationSettings,
    IntegrationSettings,
)
from igny8_core.modules.usage.models import Receipt
from igny8_core.pricing.errors import InvalidQuantity
from igny8_core.pricing.meters import Meter
from igny8_core.tasks.errors import EmptyPrompt, MissingPlaceholder, PromptTooLong
from tests.conftest import point
from tests.igny8_core.ai.test_ai_core import PATH, completion

PLATFORM_KEY = "sk-platform-planted-1111"
OWN_KEY = "sk-account-planted-2222"


@pytest.fixture
def httpserver() -> Iterator[HTTPServer]:
    with HTTPServer(host="127.0.0.1", threaded=True) as server:
        yield server


@pytest.fixture
def platform(db: None, httpserver: HTTPServer) -> GlobalIntegrationSettings:
    point("openai", httpserver.url_for("/v1"))
    row = GlobalIntegrationSettings()
    row.set_key("openai", PLATFORM_KEY)
    row.save()
    return row


def sent(server: HTTPServer) -> dict[str, Any]:
    ((request, _),) = server.log
    body: dict[str, Any] = json.loads(request.get_data())
    return body


@pytest.mark.parametrize(("own", "key"), [("", PLATFORM_KEY), (OWN_KEY, OWN_KEY)])
def test_key__own_and_platforms__the_own_is_used_first(
    acme: Account,
    platform: GlobalIntegrationSettings,
    httpserver: HTTPServer,
    own: str,
    key: str,
) -> None:
    row = IntegrationSettings(account=acme)
    row.set_key("openai", own)
    row.save()
    httpserver.expect_request(PATH, headers={"Authorization": f"Bearer {key}"}).respond_with_json(
        completion()
    )
    assert AICore(acme).run_ai_request("generate_content", "x").provider == "openai"


def test_key__only_in_the_environment__is_used(
    acme: Account, httpserver: HTTPServer, settings: Settings
) -> None:
    settings.AI_CONNECTIONS = {
        "openai": {"api_key": "sk-env-1", "base_url": httpserver.url_for("/v1")}
    }
    httpserver.expect_request(PATH, headers={"Authorization": "Bearer sk-env-1"}).respond_with_json(
        completion()
    )
    assert AICore(acme).run_ai_request("generate_content", "x").provider == "openai"


def test_preference__set__is_taken_before_the_default(acme: Account, bolt: Account) -> None:
    model = AIModel.objects.get(model_id="gpt-4.1")
    IntegrationSettings.objects.create(account=acme, text_model=model)
    answer = resolve(acme, "generate_content", explain=True)
    assert (answer.model.model_id, answer.reason) == ("gpt-4.1", Reason.PREFERENCE)
    assert answer.trail == (TrailEntry(Reason.PREFERENCE, "gpt-4.1", None),)
    assert resolve(bolt, "generate_content").reason == Reason.TYPE_DEFAULT
    assert resolve(acme, "generate_content", model="gpt-4o").reason == Reason.PINNED


def test_preference__not_usable__is_passed_over(acme: Account) -> None:
    model = AIModel.objects.get(model_id="gpt-4.1")
    IntegrationSettings.objects.create(account=acme, text_model=model)
    model.toggle_active()
    answer = resolve(acme, "generate_content", explain=True)
    assert answer.trail is not None
    assert answer.trail[0][:3] == (Reason.PREFERENCE, "gpt-4.1", Refusal.INACTIVE)
    assert answer.trail[-1] == TrailEntry(Reason.TYPE_DEFAULT, "gpt-4o-mini", None)


def test_parameters__three_layers__reach_the_provider(
    acme: Account, platform: GlobalIntegrationSettings, httpserver: HTTPServer
) -> None:
    platform.temperature, platform.max_tokens = 0.1, 100
    platform.save()
    IntegrationSettings.objects.create(account=acme, max_tokens=200)
    httpserver.expect_request(PATH).respond_with_json(completion())
    AICore(acme).run_ai_request("generate_content", "x", parameters={"temperature": 0.9})
    body = sent(httpserver)
    assert (body["temperature"], body["max_completion_tokens"]) == (0.9, 200)


def test_parameters__none_set__none_are_sent(
    acme: Account, platform: GlobalIntegrationSettings, httpserver: HTTPServer
) -> None:
    httpserver.expect_request(PATH).respond_with_json(completion())
    AICore(acme).run_ai_request("generate_content", "x")
    assert set(sent(httpserver)) == {"model", "messages"}


def test_parameters__explained__say_which_layer_won(
    acme: Account, platform: GlobalIntegrationSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    platform.temperature, platform.max_tokens = 0.1, 100_000
    platform.save()
    arguments = ["resolve", "acme", "generate_content", "--param=temperature=0.3", "--explain"]
    call_command(*arguments)
    text = capsys.readouterr().out
    assert "temperature 0.3 (call)" in text
    assert "max_tokens 8192 (platform, limited to what the model can do)" in text
    call_command(*arguments, "--json")
    assert json.loads(capsys.readouterr().out)["parameters"] == {
        "temperature": {"value": 0.3, "layer": "call", "is_limited": False},
        "max_tokens": {"value": 8192, "layer": "platform", "is_limited": True},
    }


def test_prompt__of_the_account__is_sent_filled_in_and_named_on_the_receipt(
    acme: Account, platform: GlobalIntegrationSettings, httpserver: HTTPServer
) -> None:
    GlobalAIPrompt.objects.create(task="generate_content", template="Ours.")
    for tone in ("Be dry.", "Be {{tone}}."):
        AIPrompt.objects.create(
            account=acme,
            task="generate_content",
            template=tone,
            placeholders=["tone"] if "{" in tone else [],
        )
    httpserver.expect_request(PATH).respond_with_json(completion())
    AICore(acme).run_ai_request("generate_content", "x", variables={"tone": "kind"})
    assert sent(httpserver)["messages"][0]["content"] == "Be kind."
    receipt = Receipt.objects.get()
    assert (receipt.prompt, receipt.prompt_version) == ("account", 2)
    assert "kind" not in str(vars(receipt))


def test_prompt__placeholder_missing__is_refused_and_nothing_is_sent(
    acme: Account, platform: GlobalIntegrationSettings, httpserver: HTTPServer
) -> None:
    GlobalAIPrompt.objects.create(
        task="generate_content", template="Be {{tone}}.", placeholders=["tone"]
    )
    with pytest.raises(MissingPlaceholder, match="'tone'"):
        AICore(acme).run_ai_request("generate_content", "x")
    assert not httpserver.log


@pytest.mark.parametrize(("characters", "fits"), [(8192 * 4, True), (8192 * 4 + 1, False)])
def test_prompt__as_long_as_the_context_and_longer__is_run_and_refused(
    acme: Account, characters: int, fits: bool
) -> None:
    AIModel.objects.filter(is_default=True).update(context_window=8192)
    GlobalAIPrompt.objects.create(task="generate_content", template="W")
    prompt = "x" * (characters - 1)
    if fits:
        AICore(acme, connections={}).run_ai_request("generate_content", prompt)
    else:
        with pytest.raises(PromptTooLong, match="about 8193 tokens long"):
            AICore(acme, connections={}).run_ai_request("generate_content", prompt)


@pytest.mark.parametrize("window", [128_000, None])
def test_prompt__of_sixty_thousand_characters__is_sent(acme: Account, window: int | None) -> None:
    AIModel.objects.filter(is_default=True).update(context_window=window)
    assert AICore(acme, connections={}).run_ai_request("generate_content", "x" * 60_000).content


def test_generate_image__server_answers__images_and_a_receipt(
    acme: Account, platform: GlobalIntegrationSettings, httpserver: HTTPServer
) -> None:
    platform.image_size = "512x512"
    platform.save()
    AIModel.objects.get(model_id="dall-e-3").make_default()
    httpserver.expect_request("/v1/images/generations").respond_with_json(
        {"created": 1, "data": [{"url": "http://127.0.0.1/1.png"}, {"b64_json": "aGk="}]}
    )
    answer = AICore(acme).generate_image("A tyre.", count=2)
    assert answer.content == (Image("http://127.0.0.1/1.png", None), Image(None, "aGk="))
    body = sent(httpserver)
    assert (body["model"], body["n"], body["size"]) == ("dall-e-3", 2, "512x512")
    assert body["prompt"] == "Draw a picture of:\nA tyre."
    receipt = Receipt.objects.get()
    assert (receipt.images, receipt.cost, receipt.status) == (2, Decimal("0.08"), "ok")
    assert (receipt.task, receipt.input_tokens) == ("generate_images", None)


@pytest.mark.parametrize("body", [{"data": []}, {"data": [{}]}, {}])
def test_generate_image__nonsense__is_an_invalid_answer(
    acme: Account,
    platform: GlobalIntegrationSettings,
    httpserver: HTTPServer,
    body: dict[str, Any],
) -> None:
    httpserver.expect_request("/v1/images/generations").respond_with_json(body)
    with pytest.raises(ProviderAnswerInvalid):
        AICore(acme).generate_image("A tyre.", model="dall-e-2")
    assert Receipt.objects.get().status == "provider_answer_invalid"


@pytest.mark.parametrize("count", [0, 11, True, 1.0])
def test_generate_image__nonsense_count__is_refused(acme: Account, count: Any) -> None:
    with pytest.raises(InvalidQuantity, match="count is "):
        AICore(acme).generate_image("A tyre.", count=count)


def test_generate_image__offline__is_a_labelled_picture(acme: Account) -> None:
    answer = AICore(acme, connections={}).generate_image("A tyre.", model="dall-e-3")
    assert answer.provider == "offline"
    assert base64.b64decode(answer.content[0].b64 or "").startswith(b"\x89PNG")
    assert answer.meters == {Meter.IMAGES: 1}


@pytest.fixture
def embedding(db: None) -> AIModel:
    return AIModel.objects.create(
        model_id="text-embedding-3-small",
        display_name="E",
        provider="openai",
        model_type="embedding",
        input_rate="0.02",
        is_default=True,
    )


def vectors(*order: int, **changes: Any) -> dict[str, Any]:
    return {
        "object": "list",
        "model": "text-embedding-3-small",
        "data": [{"object": "embedding", "index": i, "embedding": [i, 0.5]} for i in order],
        "usage": {"prompt_tokens": 7, "total_tokens": 7},
        **changes,
    }


def test_embed__server_answers__vectors_in_order_and_a_receipt(
    acme: Account,
    platform: GlobalIntegrationSettings,
    embedding: AIModel,
    httpserver: HTTPServer,
) -> None:
    httpserver.expect_request("/v1/embeddings").respond_with_json(vectors(1, 0))
    answer = AICore(acme).embed(["one", "two"])
    assert answer.content == ((0.0, 0.5), (1.0, 0.5))
    assert sent(httpserver)["input"] == ["one", "two"]
    receipt = Receipt.objects.get()
    assert (receipt.input_tokens, receipt.output_tokens) == (7, None)
    assert receipt.cost == Decimal("0.00000014")


@pytest.mark.parametrize("order", [(0,), (0, 0), (0, 2), (0, 1, 2)])
def test_embed__other_vectors_than_asked__is_an_invalid_answer(
    acme: Account,
    platform: GlobalIntegrationSettings,
    embedding: AIModel,
    httpserver: HTTPServer,
    order: tuple[int, ...],
) -> None:
    httpserver.expect_request("/v1/embeddings").respond_with_json(vectors(*order))
    with pytest.raises(ProviderAnswerInvalid, match="for 2 texts"):
        AICore(acme).embed(["one", "two"])


@pytest.mark.parametrize("texts", [[], [""], ["one", " "]])
def test_embed__nothing_to_embed__is_refused(acme: Account, texts: list[str]) -> None:
    with pytest.raises(EmptyPrompt):
        AICore(acme).embed(texts)


@pytest.mark.parametrize("task", ["generate_images", "embed_text"])
def test_run_ai__task_of_another_type__is_run_by_the_command(
    acme: Account, embedding: AIModel, capsys: pytest.CaptureFixture[str], task: str
) -> None:
    AIModel.objects.get(model_id="dall-e-3").make_default()
    call_command("run_ai", "acme", task, "--prompt=x")
    text = capsys.readouterr().out
    assert ("a picture, " if task == "generate_images" else "a vector of 32 values") in text


def test_keys__planted__are_in_no_log_error_receipt_page_or_json(
    acme: Account,
    platform: GlobalIntegrationSettings,
    httpserver: HTTPServer,
    admin_client: Client,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    own = IntegrationSettings(account=acme)
    own.set_key("openai", OWN_KEY)
    own.save()
    seen = []
    for status in (200, 400, 401, 429, 500):
        httpserver.clear()
        httpserver.expect_request(PATH).respond_with_json(
            completion() if status == 200 else {"error": {"message": f"key {OWN_KEY}"}},
            status=status,
        )
        with caplog.at_level(logging.DEBUG):
            try:
                seen.append(repr(AICore(acme).run_ai_request("generate_content", "x")))
            except ProviderError as error:
                seen += [str(error), repr(error), str(vars(error))]
    seen.append(caplog.text)
    seen += [str(vars(receipt)) for receipt in Receipt.objects.all()]
    pages = (
        "system/globalintegrationsettings/1/change/",
        "system/integrationsettings/",
        f"system/integrationsettings/{own.pk}/change/",
        f"system/integrationsettings/{own.pk}/history/",
        "usage/receipt/",
        f"usage/receipt/{Receipt.objects.all()[0].pk}/change/",
        f"accounts/account/{acme.pk}/change/",
    )
    for page in pages:
        answer = admin_client.get(f"/admin/{page}")
        assert answer.status_code == 200
        seen.append(answer.content.decode())
    seen.append(admin_client.get("/api/v1/admin/ai-models/").content.decode())
    call_command("resolve", "acme", "generate_content", "--explain", "--json")
    seen.append(capsys.readouterr().out)
    text = "\n".join(seen)
    assert "sk-…2222" in text  # what is searched is what a person sees
    for key in (PLATFORM_KEY, OWN_KEY):
        assert key not in text
        assert key[3:-4] not in text
