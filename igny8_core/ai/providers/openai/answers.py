"""The parts of OpenAI's answers that we use; the rest may be anything.

What the caller paid for has to make sense; what is said about it may be odd, and is read leniently.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, model_validator

from igny8_core.ai.providers.wire import name_of
from igny8_core.pricing.conditions import Processing


class _Message(BaseModel):
    """Some servers send the content in parts."""

    content: str | list[Any] | None = None
    refusal: str | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            parts = (each.get("text") for each in self.content if isinstance(each, dict))
            return "".join(part for part in parts if isinstance(part, str))
        return self.content or self.refusal or ""


class _Choice(BaseModel):
    message: _Message
    finish_reason: Any = None


class _Body(BaseModel):
    """`usage` as it came; `model` and `service_tier` may be anything."""

    model: Any = None
    usage: Any = None
    service_tier: Any = None

    @property
    def cost(self) -> Any:
        """What some servers of this protocol say that it costs."""
        return self.usage.get("cost") if isinstance(self.usage, dict) else None


class Completion(_Body):
    choices: Annotated[list[_Choice], Field(min_length=1)]

    @property
    def text(self) -> str:
        return self.choices[0].message.text


class _Piece(BaseModel):
    """`message` in place of `delta` where a server sends the answer whole."""

    delta: _Message | None = None
    message: _Message | None = None
    finish_reason: Any = None


class Chunk(_Body):
    """Of a completion that is streamed; the last one has its usage, and no choices."""

    choices: list[_Piece] | None = None

    @property
    def text(self) -> str:
        found = [each.delta or each.message for each in (self.choices or [])[:1]]
        return "".join(each.text for each in found if each)

    @property
    def finish_reason(self) -> Any:
        return self.choices[0].finish_reason if self.choices else None


class _Picture(BaseModel):
    url: str | None = None
    b64_json: str | None = None

    @model_validator(mode="after")
    def _is_there(self) -> Self:
        if not (self.url or self.b64_json):
            raise ValueError("neither url nor b64_json")
        return self


class Pictures(_Body):
    """`size` and `quality` as they were drawn."""

    size: Any = None
    quality: Any = None
    data: Annotated[list[_Picture], Field(min_length=1)]


class _Embedding(BaseModel):
    index: int
    embedding: Annotated[list[float], Field(min_length=1)]


class Embeddings(_Body):
    data: list[_Embedding]


def processing(service_tier: Any) -> str:
    """What was served; a tier that is none of ours has no price, and the receipt says so."""
    if service_tier is None or service_tier == "default":
        return Processing.STANDARD
    return name_of(service_tier)
