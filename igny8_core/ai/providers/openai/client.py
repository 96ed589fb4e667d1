"""OpenAI, or any server that speaks its protocol, by the official SDK."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from igny8_core.ai.providers.base import (
    Connection,
    EmbeddingRequest,
    Image,
    ImageRequest,
    ProviderAnswer,
    TextRequest,
    Vector,
)
from igny8_core.ai.providers.errors import ProviderAnswerInvalid
from igny8_core.ai.providers.openai.answers import (
    Completion,
    Embeddings,
    Pictures,
    processing,
)
from igny8_core.ai.providers.openai.meters import embedding_meters, image_meters, openai_meters
from igny8_core.ai.providers.usage import read, with_pictures
from igny8_core.ai.providers.wire import Body, body_of, name_of
from igny8_core.pricing.conditions import PriceContext

if TYPE_CHECKING:
    import openai

ADDRESS = "https://api.openai.com/v1"


class OpenAIProvider:
    def __init__(self, name: str, connection: Connection) -> None:
        self.name = name
        self._connection = connection
        self._client = _client(connection)

    def complete(self, request: TextRequest) -> ProviderAnswer[str]:
        options = {
            "response_format": {"type": "json_object"} if request.json_mode else None,
            "temperature": request.temperature,
            "max_completion_tokens": request.max_tokens,
            "service_tier": request.service_tier,
        }
        completion = self._post(
            Completion,
            request.timeout_s,
            lambda client: client.chat.completions.with_streaming_response.create,
            model=request.model_id,
            messages=[
                {"role": "system", "content": request.instruction},
                {"role": "user", "content": _content(request)},
            ],
            **{name: value for name, value in options.items() if value is not None},
        )
        choice = completion.choices[0]
        return ProviderAnswer(
            content=choice.message.content or choice.message.refusal or "",
            model_served=name_of(completion.model),
            usage=read(completion.usage, openai_meters, cost=completion.cost),
            finish_reason=name_of(choice.finish_reason),
            context=PriceContext(processing=processing(completion.service_tier)),
        )

    def draw(self, request: ImageRequest) -> ProviderAnswer[tuple[Image, ...]]:
        asked = {"size": request.image_size, "quality": request.image_quality}
        pictures = self._post(
            Pictures,
            request.timeout_s,
            lambda client: client.images.with_streaming_response.generate,
            model=request.model_id,
            prompt=request.prompt,
            n=request.number,
            **{name: value for name, value in asked.items() if value},
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

    def embed(self, request: EmbeddingRequest) -> ProviderAnswer[tuple[Vector, ...]]:
        embeddings = self._post(
            Embeddings,
            request.timeout_s,
            lambda client: client.embeddings.with_streaming_response.create,
            model=request.model_id,
            input=list(request.texts),
            encoding_format="float",
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

    def _post(
        self,
        body_type: type[Body],
        timeout_s: float,
        endpoint: Callable[[openai.OpenAI], Callable[..., AbstractContextManager[Any]]],
        **options: Any,
    ) -> Body:
        """Send a request and read the body of the answer; raises a ProviderError."""
        import openai  # noqa: PLC0415 - half a second that others need not pay

        return body_of(
            body_type,
            lambda: endpoint(self._client)(timeout=timeout_s, **options),
            sdk=openai,
            provider=self.name,
            secret=self._connection.api_key,
            timeout_s=timeout_s,
        )


def _content(request: TextRequest) -> str | list[dict[str, Any]]:
    """The prompt, and what it is shown beside it."""
    if not request.images:
        return request.prompt
    shown = ({"type": "image_url", "image_url": {"url": each.data_url}} for each in request.images)
    return [{"type": "text", "text": request.prompt}, *shown]


@lru_cache(maxsize=32)
def _client(connection: Connection) -> openai.OpenAI:
    """One client, and so one pool of open connections, for each key and address."""
    import openai  # noqa: PLC0415 - as above

    client = openai.OpenAI(
        api_key=connection.api_key,
        base_url=connection.base_url or ADDRESS,
        max_retries=0,
        # A redirect would carry the prompt to wherever it says.
        http_client=openai.DefaultHttpxClient(follow_redirects=False),
    )
    # The SDK would take them from the environment, which an account's own key knows nothing of.
    client.organization = client.project = None
    return client


# A child must not share its parent's sockets: each would get the other's answers.
os.register_at_fork(after_in_child=_client.cache_clear)
