"""What a provider is."""

from __future__ import annotations

from typing import Protocol

from igny8_core.ai.values import (
    EmbeddingRequest,
    Image,
    ImageRequest,
    ProviderAnswer,
    TextRequest,
    Vector,
)


class Provider(Protocol):
    """Answers requests, each by one call; raises a ProviderError."""

    name: str

    def complete(self, request: TextRequest) -> ProviderAnswer[str]: ...

    def draw(self, request: ImageRequest) -> ProviderAnswer[tuple[Image, ...]]: ...

    def embed(self, request: EmbeddingRequest) -> ProviderAnswer[tuple[Vector, ...]]: ...
