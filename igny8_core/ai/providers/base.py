"""What a provider is asked, what it answers, and the Protocol behind which each one stands."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, ClassVar, Final, Generic, NamedTuple, Protocol, TypeVar

from igny8_core.ai.providers.errors import ProviderAnswerInvalid, ProviderCannot
from igny8_core.ai.providers.images import Image
from igny8_core.ai.providers.usage import Reading, Usage, UsageBlock
from igny8_core.pricing.conditions import PriceContext

__all__ = [
    "PROMPTS",
    "REQUEST_ID",
    "Connection",
    "Draft",
    "EmbeddingRequest",
    "Image",
    "ImageRequest",
    "Meters",
    "Provider",
    "ProviderAnswer",
    "TextRequest",
    "TextStream",
    "Vector",
]


class Connection(NamedTuple):
    """How a provider is reached; an empty `base_url` is the provider's own address."""

    api_key: str
    base_url: str = ""

    def __repr__(self) -> str:
        return f"Connection(base_url={self.base_url!r})"


class TextRequest(NamedTuple):
    """`longest` is how many tokens the model answers with at most; `images` are shown to it."""

    model_id: str
    instruction: str
    prompt: str
    json_mode: bool
    timeout_s: float
    longest: int
    temperature: float | None = None
    max_tokens: int | None = None
    service_tier: str | None = None
    images: tuple[Image, ...] = ()


class ImageRequest(NamedTuple):
    model_id: str
    prompt: str
    number: int
    timeout_s: float
    image_size: str | None = None
    image_quality: str | None = None


class EmbeddingRequest(NamedTuple):
    model_id: str
    texts: tuple[str, ...]
    timeout_s: float


Vector = tuple[float, ...]
# What this asyncio task's call sends: no error may quote it.
PROMPTS: Final[ContextVar[tuple[str, ...]]] = ContextVar("prompts", default=())
# The id of the request whose call this asyncio task makes; it goes along as a header.
REQUEST_ID: Final[ContextVar[str]] = ContextVar("request_id", default="")
Meters = Callable[[UsageBlock], Reading]
Content = TypeVar("Content")


class ProviderAnswer(NamedTuple, Generic[Content]):
    """What a provider sent back: a text, images or vectors.

    `usage` is what it says it took; `context` how it says that it was served.
    """

    content: Content
    model_served: str
    usage: Usage
    finish_reason: str = ""
    context: PriceContext | None = None


class Draft(Protocol):
    """A text answer as far as it has come, of the events of one protocol."""

    def add(self, event: Mapping[str, Any]) -> str:
        """The text that the event adds; raises ProviderAnswerInvalid, ProviderError."""
        ...

    def answer(self) -> ProviderAnswer[str]:
        """All that has come; what it took may not have been said yet."""
        ...

    @property
    def is_whole(self) -> bool:
        """Whether the provider has said that this is all."""
        ...


class TextStream:
    """A text as it comes, once; `answer()` is what has come so far, at any moment."""

    def __init__(
        self, provider: str, draft: Draft, events: AsyncGenerator[Mapping[str, Any]]
    ) -> None:
        self._provider, self._draft, self._events = provider, draft, events

    async def pieces(self) -> AsyncGenerator[str]:
        """Raises a ProviderError, also where it ends before the provider has said so."""
        async with aclosing(self._events):
            async for event in self._events:
                text = self._draft.add(event)
                if text:
                    yield text
        if not self._draft.is_whole:
            raise ProviderAnswerInvalid(self._provider, "it ends in the middle")

    def answer(self) -> ProviderAnswer[str]:
        found = self._draft.answer()
        if self._draft.is_whole:
            return found
        usage = found.usage._replace(meters=None, note="It was left before the provider ended it.")
        return found._replace(usage=usage)


class Provider(Protocol):
    """Answers requests, each by one call; raises a ProviderError. `network` runs the calls.

    A class inherits from it, and says what it can do. `meters` reads a usage block that a receipt
    kept, by the type of the model.
    """

    meters: ClassVar[Mapping[str, Meters]] = MappingProxyType({})
    name: str
    connection: Connection

    def __init__(self, name: str, connection: Connection) -> None:
        """`name` is that of its row."""
        self.name, self.connection = name, connection

    async def complete(self, request: TextRequest) -> ProviderAnswer[str]:
        raise ProviderCannot(self.name, "answer in text", request.model_id)

    def stream(self, request: TextRequest) -> TextStream:
        raise ProviderCannot(self.name, "stream a text", request.model_id)

    async def draw(self, request: ImageRequest) -> ProviderAnswer[tuple[Image, ...]]:
        raise ProviderCannot(self.name, "draw pictures", request.model_id)

    async def embed(self, request: EmbeddingRequest) -> ProviderAnswer[tuple[Vector, ...]]:
        raise ProviderCannot(self.name, "embed texts", request.model_id)
