"""What a provider is asked, what it answers, and the Protocol behind which each one stands."""

from __future__ import annotations

from typing import Generic, NamedTuple, Protocol, TypeVar

from igny8_core.ai.providers.images import Image
from igny8_core.ai.providers.usage import Usage
from igny8_core.pricing.conditions import PriceContext

__all__ = [
    "Connection",
    "EmbeddingRequest",
    "Image",
    "ImageRequest",
    "Provider",
    "ProviderAnswer",
    "TextRequest",
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


class Provider(Protocol):
    """Answers requests, each by one call; raises a ProviderError."""

    name: str

    def complete(self, request: TextRequest) -> ProviderAnswer[str]: ...

    def draw(self, request: ImageRequest) -> ProviderAnswer[tuple[Image, ...]]: ...

    def embed(self, request: EmbeddingRequest) -> ProviderAnswer[tuple[Vector, ...]]: ...
