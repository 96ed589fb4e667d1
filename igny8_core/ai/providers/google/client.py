"""Google's Gemini, by the official SDK."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from igny8_core.ai.providers.base import (
    Connection,
    EmbeddingRequest,
    Image,
    ImageRequest,
    Meters,
    Provider,
    ProviderAnswer,
    TextRequest,
    TextStream,
    Vector,
)
from igny8_core.ai.providers.errors import (
    ProviderAnswerInvalid,
    ProviderCannot,
    ProviderContentRefused,
)
from igny8_core.ai.providers.exchange import Exchange
from igny8_core.ai.providers.google.answers import Embedded, Generated
from igny8_core.ai.providers.google.meters import google_meters
from igny8_core.ai.providers.network import kept, network, silence
from igny8_core.ai.providers.usage import read, with_pictures
from igny8_core.ai.providers.wire import checked, name_of
from igny8_core.pricing.conditions import PriceContext, Processing
from igny8_core.pricing.meters import ModelType

if TYPE_CHECKING:
    from google import genai

ADDRESS = "https://generativelanguage.googleapis.com"


class GoogleProvider(Provider):
    meters: ClassVar[Mapping[str, Meters]] = MappingProxyType(
        dict.fromkeys(ModelType, google_meters)
    )

    def __init__(self, name: str, connection: Connection) -> None:
        super().__init__(name, connection)
        self._exchange = Exchange(name, connection.api_key)
        self._client = _client(connection)

    async def complete(self, request: TextRequest) -> ProviderAnswer[str]:
        asked = _asked(request)
        said = await self._exchange.whole(
            Generated,
            request.timeout_s,
            lambda: self._client.aio.models.generate_content(**asked),
        )
        return _answer(request, said, said.text)

    def stream(self, request: TextRequest) -> TextStream:
        asked = _asked(request)

        async def send() -> None:
            async for _ in await self._client.aio.models.generate_content_stream(**asked):
                pass

        events = self._exchange.events(request.timeout_s, send)
        return TextStream(self.name, _Draft(self.name, request), events)

    async def draw(self, request: ImageRequest) -> ProviderAnswer[tuple[Image, ...]]:
        """One picture, in Google's own size and quality: the protocol has no words for ours."""
        if request.number != 1:
            raise ProviderCannot(self.name, "draw more than one picture a call", request.model_id)
        found = await self._exchange.whole(
            Generated,
            request.timeout_s,
            lambda: self._client.aio.models.generate_content(
                model=request.model_id,
                contents=request.prompt,
                config={"response_modalities": ["IMAGE"]},
            ),
        )
        drawn = [part.inlineData.data for part in found.parts if part.inlineData]
        if not drawn:
            why = name_of(found.finish_reason) or "no picture in the answer"
            raise ProviderContentRefused(self.name, 200, why)
        usage = read(found.usageMetadata, google_meters)
        return ProviderAnswer(
            content=tuple(Image(None, data) for data in drawn),
            model_served=name_of(found.modelVersion),
            usage=with_pictures(usage, len(drawn)),
            finish_reason=name_of(found.finish_reason),
        )

    async def embed(self, request: EmbeddingRequest) -> ProviderAnswer[tuple[Vector, ...]]:
        found = await self._exchange.whole(
            Embedded,
            request.timeout_s,
            lambda: self._client.aio.models.embed_content(
                model=request.model_id, contents=list(request.texts)
            ),
        )
        if len(found.embeddings) != len(request.texts):
            fault = f"{len(found.embeddings)} vectors for {len(request.texts)} texts"
            raise ProviderAnswerInvalid(self.name, fault)
        return ProviderAnswer(
            content=tuple(tuple(each.values) for each in found.embeddings),
            model_served=request.model_id,
            usage=read(found.usageMetadata, google_meters),
        )


class _Draft:
    def __init__(self, provider: str, request: TextRequest) -> None:
        self._provider, self._request = provider, request
        self._texts: list[str] = []
        self._seen = Generated()

    @property
    def is_whole(self) -> bool:
        return self._seen.finish_reason is not None

    def add(self, event: Mapping[str, Any]) -> str:
        said = checked(Generated, event, self._provider)
        seen = {name: value for name, value in said if value not in (None, [])}
        self._seen = self._seen.model_copy(update=seen)
        self._texts.append(said.text)
        return said.text

    def answer(self) -> ProviderAnswer[str]:
        return _answer(self._request, self._seen, "".join(self._texts))


def _asked(request: TextRequest) -> dict[str, Any]:
    options = {
        "system_instruction": request.instruction or None,
        "temperature": request.temperature,
        "max_output_tokens": request.max_tokens,
        "service_tier": request.service_tier,
        "response_mime_type": "application/json" if request.json_mode else None,
    }
    return {
        "model": request.model_id,
        "contents": _parts(request),
        "config": {name: value for name, value in options.items() if value is not None},
    }


def _answer(request: TextRequest, said: Generated, text: str) -> ProviderAnswer[str]:
    return ProviderAnswer(
        content=text,
        model_served=name_of(said.modelVersion),
        usage=read(said.usageMetadata, google_meters),
        finish_reason=name_of(said.finish_reason),
        # The answer does not say what it was served as.
        context=PriceContext(processing=request.service_tier or Processing.STANDARD),
    )


def _parts(request: TextRequest) -> Any:
    """What the prompt is shown, and the prompt."""
    from google.genai import types  # noqa: PLC0415 - the SDK takes a while that others need not pay

    shown = [
        types.Part(file_data=types.FileData(file_uri=image.url))
        if image.url
        else types.Part(
            inline_data=types.Blob(
                mime_type=image.media_type, data=base64.b64decode(image.b64 or "")
            )
        )
        for image in request.images
    ]
    return [*shown, types.Part(text=request.prompt)]


@kept
def _client(connection: Connection) -> genai.Client:
    from google import genai  # noqa: PLC0415 - as above
    from google.genai import types  # noqa: PLC0415 - as above

    client = genai.Client(
        vertexai=False,
        api_key=connection.api_key,
        http_options=types.HttpOptions(
            base_url=connection.base_url or ADDRESS,
            api_version="v1beta",
            httpx_async_client=network().http,
        ),
    )
    silence()
    return client
