"""Anthropic's messages, by the official SDK."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from igny8_core.ai.providers.anthropic.answers import Event, Message
from igny8_core.ai.providers.anthropic.meters import anthropic_meters
from igny8_core.ai.providers.base import (
    Connection,
    Meters,
    Provider,
    ProviderAnswer,
    TextRequest,
    TextStream,
)
from igny8_core.ai.providers.exchange import Exchange
from igny8_core.ai.providers.network import kept, network, silence
from igny8_core.ai.providers.usage import read
from igny8_core.ai.providers.wire import checked, name_of
from igny8_core.pricing.conditions import PriceContext, Processing
from igny8_core.pricing.meters import ModelType

if TYPE_CHECKING:
    import anthropic

ADDRESS = "https://api.anthropic.com"


class AnthropicProvider(Provider):
    meters: ClassVar[Mapping[str, Meters]] = MappingProxyType({ModelType.TEXT: anthropic_meters})

    def __init__(self, name: str, connection: Connection) -> None:
        super().__init__(name, connection)
        self._exchange = Exchange(name, connection.api_key)
        self._client = _client(connection)

    async def complete(self, request: TextRequest) -> ProviderAnswer[str]:
        said = await self._exchange.whole(
            Message, request.timeout_s, lambda: self._client.messages.create(**_asked(request))
        )
        return _answer(said)

    def stream(self, request: TextRequest) -> TextStream:
        asked = {**_asked(request), "stream": True}
        events = self._exchange.events(
            request.timeout_s, lambda: self._client.messages.create(**asked)
        )
        return TextStream(self.name, _Draft(self.name), events)


class _Draft:
    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._texts: list[str] = []
        self._seen: dict[str, Any] = {}
        self.is_whole = False

    def add(self, event: Mapping[str, Any]) -> str:
        said = checked(Event, event, self._provider)
        self._seen |= said.seen(self._seen.get("usage"))
        self.is_whole = self.is_whole or said.type in {"message_stop", "message"}
        self._texts.append(said.text)
        return said.text

    def answer(self) -> ProviderAnswer[str]:
        text = {"type": "text", "text": "".join(self._texts)}
        return _answer(Message.model_validate({**self._seen, "content": [text]}))


def _asked(request: TextRequest) -> dict[str, Any]:
    options: dict[str, Any] = {"system": request.instruction} if request.instruction else {}
    if request.service_tier is not None:
        options["service_tier"] = request.service_tier
    if request.temperature is not None:  # the SDK has no word for it any more, some models do
        options["extra_body"] = {"temperature": request.temperature}
    return {
        "model": request.model_id,
        # It has to be said: else the longest that the model gives.
        "max_tokens": request.max_tokens or request.longest,
        "messages": [{"role": "user", "content": _content(request)}],
        # The SDK refuses long answers that are not streamed, by its own idea of how long they take.
        "timeout": request.timeout_s,
        **options,
    }


def _answer(message: Message) -> ProviderAnswer[str]:
    return ProviderAnswer(
        content=message.text,
        model_served=name_of(message.model),
        usage=read(message.usage, anthropic_meters),
        finish_reason=name_of(message.stop_reason),
        context=PriceContext(processing=name_of(message.service_tier) or Processing.STANDARD),
    )


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


@kept
def _client(connection: Connection) -> anthropic.AsyncAnthropic:
    import anthropic  # noqa: PLC0415 - most of a second that others need not pay

    client = anthropic.AsyncAnthropic(
        api_key=connection.api_key,
        base_url=connection.base_url or ADDRESS,
        max_retries=0,
        http_client=network().http,
    )
    # The SDK would take it from the environment, which an account's own key knows nothing of.
    client.auth_token = None
    client._custom_headers = {}
    silence()
    return client
