"""What travels between the stages: closed vocabularies and immutable values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Generic, NamedTuple, Self, TypeVar
from uuid import UUID

if TYPE_CHECKING:
    from igny8_core.ai.conditions import PriceContext
    from igny8_core.ai.pricing import Price


class ModelType(StrEnum):
    TEXT = "text"
    IMAGE = "image"
    EMBEDDING = "embedding"


class Meter(StrEnum):
    """What is counted in an AI call; `meters.py` says which is part of which."""

    INPUT_TOKENS = "input_tokens"
    CACHED_INPUT_TOKENS = "cached_input_tokens"
    CACHE_WRITE_5M_TOKENS = "cache_write_5m_tokens"
    CACHE_WRITE_1H_TOKENS = "cache_write_1h_tokens"
    AUDIO_INPUT_TOKENS = "audio_input_tokens"
    CACHED_AUDIO_INPUT_TOKENS = "cached_audio_input_tokens"
    IMAGE_INPUT_TOKENS = "image_input_tokens"
    CACHED_IMAGE_INPUT_TOKENS = "cached_image_input_tokens"
    OUTPUT_TOKENS = "output_tokens"
    REASONING_TOKENS = "reasoning_tokens"
    AUDIO_OUTPUT_TOKENS = "audio_output_tokens"
    IMAGE_OUTPUT_TOKENS = "image_output_tokens"
    IMAGES = "images"
    REQUESTS = "requests"
    WEB_SEARCHES = "web_searches"
    SECONDS = "seconds"
    CHARACTERS = "characters"


class Reason(StrEnum):
    """Which candidate gave the model."""

    PINNED = "PINNED"
    PREFERENCE = "PREFERENCE"
    TYPE_DEFAULT = "TYPE_DEFAULT"
    CONSTANTS = "CONSTANTS"


class Refusal(StrEnum):
    """Why a candidate gave no model, or gave one that is not usable."""

    NO_PREFERENCE = "NO_PREFERENCE"
    PREFERENCE_UNREADABLE = "PREFERENCE_UNREADABLE"
    NO_DEFAULT = "NO_DEFAULT"
    CATALOGUE_EMPTY = "CATALOGUE_EMPTY"
    UNKNOWN_MODEL = "UNKNOWN_MODEL"
    INACTIVE = "INACTIVE"
    WRONG_TYPE = "WRONG_TYPE"
    UNPRICED = "UNPRICED"
    NO_JSON_MODE = "NO_JSON_MODE"
    NO_VISION = "NO_VISION"
    CONTEXT_TOO_SMALL = "CONTEXT_TOO_SMALL"


class Needs(NamedTuple):
    """What a task asks of a model; `context_tokens` is the least context it must hold."""

    json_mode: bool = False
    vision: bool = False
    context_tokens: int = 0

    def union(self, other: Self) -> Needs:
        return Needs(
            json_mode=self.json_mode or other.json_mode,
            vision=self.vision or other.vision,
            context_tokens=max(self.context_tokens, other.context_tokens),
        )


class CatalogueModel(NamedTuple):
    """One AIModel as the pipeline sees it; `prices` in order of their beginnings."""

    model_id: str
    display_name: str
    provider: str
    model_type: str
    max_tokens: int = 8192
    supports_json_mode: bool = True
    supports_vision: bool = False
    is_active: bool = True
    is_default: bool = False
    sort_order: int = 0
    available_to: str = ""
    retires_at: datetime | None = None
    replaced_by: str = ""
    prices: tuple[Price, ...] = ()


class Step(NamedTuple):
    """One candidate that a resolution looked at; no refusal means it was taken."""

    candidate: Reason
    model_id: str | None
    refusal: Refusal | None


class Resolution(NamedTuple):
    """The pipeline's answer: the model for an account's task, and why."""

    account_key: str
    task: str
    model: CatalogueModel
    reason: Reason
    at: datetime
    trail: tuple[Step, ...] | None


class Connection(NamedTuple):
    """How a provider is reached; an empty `base_url` is the provider's own address."""

    api_key: str
    base_url: str = ""

    def __repr__(self) -> str:
        return f"Connection(base_url={self.base_url!r})"


class PromptOrigin(StrEnum):
    """Whose instruction a task was put with."""

    ACCOUNT = "account"
    PLATFORM = "platform"
    BUILT_IN = "built-in"


class ActivePrompt(NamedTuple):
    """The instruction in force for a task; the built-in one has no version."""

    origin: PromptOrigin
    version: int | None
    template: str


class TextRequest(NamedTuple):
    model_id: str
    instruction: str
    prompt: str
    json_mode: bool
    timeout_s: float
    temperature: float | None = None
    max_tokens: int | None = None


class ImageRequest(NamedTuple):
    model_id: str
    prompt: str
    number: int
    timeout_s: float
    image_size: str | None = None


class EmbeddingRequest(NamedTuple):
    model_id: str
    texts: tuple[str, ...]
    timeout_s: float


class Image(NamedTuple):
    """One picture: an address to fetch it from, or its bytes in base64."""

    url: str | None
    b64: str | None


Vector = tuple[float, ...]
Content = TypeVar("Content")


class ProviderAnswer(NamedTuple, Generic[Content]):
    """What a provider sent back: a text, images or vectors.

    `meters` is what it says it took, None where it did not say; `context` how it says that it was
    served; `cost_reported` what it says it costs, USD.
    """

    content: Content
    model_served: str
    meters: Mapping[Meter, int] | None
    finish_reason: str = ""
    context: PriceContext | None = None
    cost_reported: Decimal | None = None


class Answer(NamedTuple, Generic[Content]):
    """What the pipeline gives back; `cost` is None where the provider did not say what it took."""

    request_id: UUID
    content: Content
    finish_reason: str
    resolution: Resolution
    provider: str
    model_served: str
    meters: Mapping[Meter, int] | None
    cost: Decimal | None
