"""OpenAI, or any server that speaks its protocol, by the official SDK."""

from __future__ import annotations

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
from igny8_core.ai.providers.errors import ProviderAnswerInvalid
from igny8_core.ai.providers.exchange import DONE, Exchange
from igny8_core.ai.providers.network import kept, network, silence
from igny8_core.ai.providers.openai.answers import (
    Chunk,
    Completion,
    Embeddings,
    Pictures,
    processing,
)
from igny8_core.ai.providers.openai.meters import embedding_meters, image_meters, openai_meters
from igny8_core.ai.providers.usage import read, with_pictures
from igny8_core.ai.providers.wire import checked, name_of
from igny8_core.pricing.conditions import PriceContext
from igny8_core.pricing.meters import ModelType

if TYPE_CHECKING:
    import openai

ADDRESS = "https://api.openai.com/v1"


class OpenAIProvider(Provider):
    meters: ClassVar[Mapping[str, Meters]] = MappingProxyType(
        {
            ModelType.TEXT: openai_meters,
            ModelType.IMAGE: image_meters,
            ModelType.EMBEDDING: embedding_meters,
        }
    )

    def __init__(self, name: str, connection: Connection) -> None:
        super().__init__(name, connection)
        self._exchange = Exchange(name, connection.api_key)
        self._client = _client(connection)

    async def complete(self, request: TextRequest) -> ProviderAnswer[str]:
        said = await self._exchange.whole(
            Completion,
            request.timeout_s,
            lambda: self._client.chat.completions.create(**_asked(request)),
        )
        return _answer(said, said.text, said.choices[0].finish_reason)

    def stream(self, request: TextRequest) -> TextStream:
        asked = {**_asked(request), "stream": True, "stream_options": {"include_usage": True}}
        events = self._exchange.events(
            request.timeout_s, lambda: self._client.chat.completions.create(**asked)
        )
        return TextStream(self.name, _Draft(self.name), events)

    async def draw(self, request: ImageRequest) -> ProviderAnswer[tuple[Image, ...]]:
        asked: dict[str, Any] = {"size": request.image_size, "quality": request.image_quality}
        pictures = await self._exchange.whole(
            Pictures,
            request.timeout_s,
            lambda: self._client.images.generate(
                model=request.model_id,
                prompt=request.prompt,
                n=request.number,
                **{name: value for name, value in asked.items() if value},
            ),
        )
        return ProviderAnswer(
            content=tuple(Image(picture.url, picture.b64_json) for picture in pictures.data),
            model_served=name_of(pictures.model) or request.model_id,
            usage=with_pictures(
                read(pictures.usage, image_meters, cost=pictures.cost), len(pictures.data)
            ),
            context=PriceContext(
                size=name_of(pictures.size) or request.image_size,
                quality=name_of(pictures.quality) or request.image_quality,
            ),
        )

    async def embed(self, request: EmbeddingRequest) -> ProviderAnswer[tuple[Vector, ...]]:
        embeddings = await self._exchange.whole(
            Embeddings,
            request.timeout_s,
            lambda: self._client.embeddings.create(
                model=request.model_id, input=list(request.texts), encoding_format="float"
            ),
        )
        rows = sorted(embeddings.data, key=lambda row: row.index)
        if [row.index for row in rows] != list(range(len(request.texts))):
            fault = f"{len(rows)} vectors for {len(request.texts)} texts"
            raise ProviderAnswerInvalid(self.name, fault)
        return ProviderAnswer(
            content=tuple(tuple(row.embedding) for row in rows),
            model_served=name_of(embeddings.model),
            usage=read(embeddings.usage, embedding_meters, cost=embeddings.cost),
        )


class _Draft:
    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._texts: list[str] = []
        self._seen = Chunk()
        self._finish_reason: Any = None
        self._is_done = False

    @property
    def is_whole(self) -> bool:
        return self._is_done or self._finish_reason is not None

    def add(self, event: Mapping[str, Any]) -> str:
        if event is DONE:
            self._is_done = True
            return ""
        chunk = checked(Chunk, event, self._provider)
        self._finish_reason = chunk.finish_reason or self._finish_reason
        said = {name: getattr(chunk, name) for name in ("model", "usage", "service_tier")}
        seen = {name: value for name, value in said.items() if value is not None}
        self._seen = self._seen.model_copy(update=seen)
        self._texts.append(chunk.text)
        return chunk.text

    def answer(self) -> ProviderAnswer[str]:
        return _answer(self._seen, "".join(self._texts), self._finish_reason)


def _asked(request: TextRequest) -> dict[str, Any]:
    options = {
        "response_format": {"type": "json_object"} if request.json_mode else None,
        "temperature": request.temperature,
        "max_completion_tokens": request.max_tokens,
        "service_tier": request.service_tier,
    }
    return {
        "model": request.model_id,
        "messages": [
            {"role": "system", "content": request.instruction},
            {"role": "user", "content": _content(request)},
        ],
        **{name: value for name, value in options.items() if value is not None},
    }


def _answer(said: Completion | Chunk, text: str, finish_reason: Any) -> ProviderAnswer[str]:
    return ProviderAnswer(
        content=text,
        model_served=name_of(said.model),
        usage=read(said.usage, openai_meters, cost=said.cost),
        finish_reason=name_of(finish_reason),
        context=PriceContext(processing=processing(said.service_tier)),
    )


def _content(request: TextRequest) -> str | list[dict[str, Any]]:
    """The prompt, and what it is shown beside it."""
    if not request.images:
        return request.prompt
    shown = ({"type": "image_url", "image_url": {"url": each.data_url}} for each in request.images)
    return [{"type": "text", "text": request.prompt}, *shown]


@kept
def _client(connection: Connection) -> openai.AsyncOpenAI:
    import openai  # noqa: PLC0415 - half a second that others need not pay

    client = openai.AsyncOpenAI(
        api_key=connection.api_key,
        base_url=connection.base_url or ADDRESS,
        max_retries=0,
        http_client=network().http,
    )
    # The SDK would take them from the environment, which an account's own key knows nothing of.
    client.organization = client.project = None
    silence()
    return client
