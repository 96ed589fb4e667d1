"""Pictures shown beside a prompt: as each provider takes them, and what is refused before."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from flags import publishing
from igny8_core.ai.ai_core import AICore
from igny8_core.ai.errors import NoUsableModel
from igny8_core.ai.providers.base import Connection, Image
from igny8_core.ai.providers.images import MOST_IMAGES, InvalidImage
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.models import AIModel
from tests.igny8_core.ai.providers import test_anthropic, test_google
from tests.igny8_core.ai.test_ai_core import completion

pytestmark = pytest.mark.django_db

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
URL = "https://pictures.example/tyre.jpg"
IMAGES = [Image(b64=PNG), Image(URL)]


@pytest.fixture
def httpserver() -> Iterator[HTTPServer]:
    with HTTPServer(host="127.0.0.1", threaded=True) as server:
        yield server


def of_openai(sent: dict[str, Any]) -> list[str]:
    _, *shown = sent["messages"][1]["content"]
    return [each["image_url"]["url"] for each in shown]


def of_anthropic(sent: dict[str, Any]) -> list[str]:
    *shown, _ = (each.get("source") for each in sent["messages"][0]["content"])
    return [each.get("url") or f"data:{each['media_type']};base64,{each['data']}" for each in shown]


def of_google(sent: dict[str, Any]) -> list[str]:
    *shown, _ = sent["contents"][0]["parts"]
    inline, file = shown[0]["inlineData"], shown[1]["fileData"]
    # The SDK writes these two names in Python's way, and base64 for URLs; the protocol takes both.
    data = inline["data"].replace("-", "+").replace("_", "/")
    return [f"data:{inline['mime_type']};base64,{data}", file["file_uri"]]


PROVIDERS: dict[str, tuple[str, str, dict[str, Any], Callable[[dict[str, Any]], list[str]]]] = {
    "openai": ("/v1/chat/completions", "/v1", completion(), of_openai),
    "anthropic": ("/v1/messages", "", test_anthropic.message(), of_anthropic),
    "google": ("/v1beta/models/sees:generateContent", "", test_google.generated(), of_google),
}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_images__are_shown_to_a_model_that_sees(
    acme: Account, httpserver: HTTPServer, provider: str
) -> None:
    path, base, answered, shown = PROVIDERS[provider]
    AIModel.objects.create(
        model_id="sees",
        display_name="Sees",
        provider=provider,
        model_type="text",
        input_rate=1,
        output_rate=1,
        supports_vision=True,
    )
    publishing.publish()
    httpserver.expect_request(path).respond_with_json(answered)
    core = AICore(acme, connections={provider: Connection("key", httpserver.url_for(base))})
    answer = core.run_ai_request("generate_content", "What is it?", images=IMAGES, model="sees")
    assert answer.content == "Tyres are round."
    ((request, _),) = httpserver.log
    assert shown(json.loads(request.get_data())) == [f"data:image/png;base64,{PNG}", URL]


def test_images__where_no_model_sees__are_refused(acme: Account) -> None:
    AIModel.objects.update(supports_vision=False)
    publishing.publish()
    with pytest.raises(NoUsableModel):
        AICore(acme).run_ai_request("generate_content", "What is it?", images=IMAGES)


@pytest.mark.parametrize(
    ("images", "fault"),
    [
        ([Image()], "Image 1 has an address or its bytes, one of them."),
        ([Image(URL), Image(URL, PNG)], "Image 2 has an address or its bytes"),
        ([Image("file:///etc/passwd")], "has no address: 'file:///etc/passwd'"),
        ([Image("https://a\n.example")], "has no address"),
        ([Image("http://[x")], "has no address"),
        ([Image("https:")], "has no address"),
        ([Image(b64="no base64!")], "Image 1 is no base64."),
        ([Image(b64="aGVsbG8=")], "Image 1 is none of PNG, JPEG, GIF and WebP."),
        ([Image(URL)] * (MOST_IMAGES + 1), "Image 21 is one too many: at most 20 are sent."),
    ],
)
def test_images__that_are_none__are_refused_before_anything_is_sent(
    acme: Account, images: list[Image], fault: str
) -> None:
    with pytest.raises(InvalidImage, match=fault):
        AICore(acme).run_ai_request("generate_content", "What is it?", images=images)
