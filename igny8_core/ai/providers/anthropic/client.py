"""Anthropic's messages, by the official SDK."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from igny8_core.ai.providers.anthropic.answers import Message
from igny8_core.ai.providers.anthropic.meters import anthropic_meters
from igny8_core.ai.providers.base import (
    Connection,
    EmbeddingRequest,
    Image,
    ImageRequest,
    ProviderAnswer,
    TextRequest,
    Vector,
)
from igny8_core.ai.providers.errors import ProviderCannot
from igny8_core.ai.providers.usage import read
from igny8_core.ai.providers.wire import body_of, name_of
from igny8_core.pricing.conditions import PriceContext, Processing

if TYPE_CHECKING:
    import anthropic

ADDRESS = "https://api.anthropic.com"


class AnthropicProvider:
    def __init__(self, name: str, connection: Connection) -> None:
        self.name = name
        self._connection = connection
        self._client = _client(connection)

    def complete(self, request: TextRequest) -> ProviderAnswer[str]:
        import anthropic  # noqa: PLC0415 - most of a second that others need not pay

        options: dict[str, Any] = {"system": request.instruction} if request.instruction else {}
        if request.service_tier is not None:
            options["service_tier"] = request.service_tier
        if request.temperature is not None:  # the SDK has no word for it any more, some models do
            options["extra_body"] = {"temperature": request.temperature}
        message = body_of(
            Message,
            lambda: self._client.messages.with_streaming_response.create(
                model=request.model_id,
                # It has to be said: else the longest that the model gives.
                max_tokens=request.max_tokens or request.longest,
                messages=[{"role": "user", "content": _content(request)}],
                timeout=request.timeout_s,
                **options,
            ),
            sdk=anthropic,
            provider=self.name,
            secret=self._connection.api_key,
            timeout_s=request.timeout_s,
        )
        return ProviderAnswer(
            content=message.text,
            model_served=name_of(message.model),
            usage=read(message.usage, anthropic_meters),
            finish_reason=name_of(message.stop_reason),
            context=PriceContext(processing=name_of(message.service_tier) or Processing.STANDARD),
        )

    def draw(self, request: ImageRequest) -> ProviderAnswer[tuple[Image, ...]]:
        raise ProviderCannot(self.name, "draw pictures", request.model_id)

    def embed(self, request: EmbeddingRequest) -> ProviderAnswer[tuple[Vector, ...]]:
        raise ProviderCannot(self.name, "embed texts", request.model_id)


def _content(request: TextRequest) -> Any:
    """The prompt, after what it is shown."""
    if not request.images:
        return request.prompt
    shown = [
        {"type": "url", "url": image.url}
        if image.url
        else {"type": "base64", "media_type": image.media_type, "data": image.b64}
        for image in request.images
    ]
    images = ({"type": "image", "source": source} for source in shown)
    return [*images, {"type": "text", "text": request.prompt}]


@lru_cache(maxsize=32)
def _client(connection: Connection) -> anthropic.Anthropic:
    """One client, and so one pool of open connections, for each key and address."""
    import anthropic  # noqa: PLC0415 - as above

    client = anthropic.Anthropic(
        api_key=connection.api_key,
        base_url=connection.base_url or ADDRESS,
        max_retries=0,
        http_client=anthropic.DefaultHttpxClient(follow_redirects=False),
    )
    # The SDK would take it from the environment, which an account's own key knows nothing of.
    client.auth_token = None
    client._custom_headers = {}
    return client


os.register_at_fork(after_in_child=_client.cache_clear)
