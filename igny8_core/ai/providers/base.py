"""What a provider is, and which one answers for a model."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from igny8_core.ai.values import TextAnswer, TextRequest


class Connection(NamedTuple):
    """How a provider is reached; an empty `base_url` is the provider's own address."""

    api_key: str
    base_url: str = ""

    def __repr__(self) -> str:
        return f"Connection(base_url={self.base_url!r})"


class Provider(Protocol):
    name: str

    def complete(self, request: TextRequest) -> TextAnswer:
        """Answer a text request; raises a ProviderError."""
