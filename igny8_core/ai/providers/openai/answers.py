"""The parts of OpenAI's answers that we use; the rest may be anything."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from igny8_core.ai.providers.openai.meters import openai_meters
from igny8_core.pricing.conditions import Processing
from igny8_core.pricing.meters import Meter

MAX_TOKENS = 10**9

_Tokens = Annotated[int, Field(strict=True, ge=0, le=MAX_TOKENS)]
_ModelId = Annotated[str, Field(max_length=100, pattern=r"\A[ -~]+\z")]


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _InputDetails(BaseModel):
    cached_tokens: _Tokens | None = None
    audio_tokens: _Tokens | None = None


class _OutputDetails(BaseModel):
    reasoning_tokens: _Tokens | None = None
    audio_tokens: _Tokens | None = None


class _InputUsage(BaseModel):
    prompt_tokens: _Tokens
    prompt_tokens_details: _InputDetails | None = None


class _Usage(_InputUsage):
    completion_tokens: _Tokens
    completion_tokens_details: _OutputDetails | None = None


class _ImageInputDetails(BaseModel):
    image_tokens: _Tokens | None = None


class _ImageUsage(BaseModel):
    """Of the models that count tokens; all of the output is a picture."""

    input_tokens: _Tokens
    input_tokens_details: _ImageInputDetails | None = None
    output_tokens: _Tokens


class Completion(BaseModel):
    """The part of a chat completion that we use; the rest may be anything."""

    model: _ModelId
    choices: Annotated[list[_Choice], Field(min_length=1)]
    usage: _Usage | None = None
    service_tier: str | None = None


class _Picture(BaseModel):
    url: str | None = None
    b64_json: str | None = None

    @model_validator(mode="after")
    def _is_there(self) -> Self:
        if not (self.url or self.b64_json):
            raise ValueError("neither url nor b64_json")
        return self


class Pictures(BaseModel):
    data: Annotated[list[_Picture], Field(min_length=1)]
    usage: _ImageUsage | None = None


class _Embedding(BaseModel):
    index: int
    embedding: Annotated[list[float], Field(min_length=1)]


class Embeddings(BaseModel):
    model: _ModelId
    data: list[_Embedding]
    usage: _InputUsage | None = None


def image_tokens(usage: _ImageUsage | None) -> dict[Meter, int]:
    """What an image answer used, in tokens; nothing where it does not say."""
    if usage is None:
        return {}
    counts = openai_meters(usage.model_dump())
    return {**counts, Meter.IMAGE_OUTPUT_TOKENS: usage.output_tokens}


def processing(service_tier: str | None) -> str:
    """What was served; a tier that is none of ours has no price, and the receipt says so."""
    return {None: Processing.STANDARD, "default": Processing.STANDARD}.get(
        service_tier, service_tier or ""
    )
