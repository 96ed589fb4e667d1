"""What travels between the stages: closed vocabularies and immutable values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Self, TypeVar
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
    KEPT = "KEPT"
    OVERRIDE = "OVERRIDE"
    PREFERENCE = "PREFERENCE"
    FORCED = "FORCED"
    RULE = "RULE"
    SPLIT = "SPLIT"
    DEFAULT = "DEFAULT"
    OFF = "OFF"
    PREREQUISITE = "PREREQUISITE"
    TYPE_DEFAULT = "TYPE_DEFAULT"
    CONSTANTS = "CONSTANTS"


class Refusal(StrEnum):
    """Why a candidate gave no model, or gave one that is not usable."""

    NO_PREFERENCE = "NO_PREFERENCE"
    PREFERENCE_UNREADABLE = "PREFERENCE_UNREADABLE"
    NO_DEFAULT = "NO_DEFAULT"
    CATALOGUE_EMPTY = "CATALOGUE_EMPTY"
    OVERRIDE_EXPIRED = "OVERRIDE_EXPIRED"
    FLAG_NOT_ASKED = "FLAG_NOT_ASKED"
    NO_FLAG = "NO_FLAG"
    FLAG_OFF = "FLAG_OFF"
    PREREQUISITE_NOT_MET = "PREREQUISITE_NOT_MET"
    ABSTAINED = "ABSTAINED"
    NOTHING_USABLE = "NOTHING_USABLE"
    OVERRIDDEN = "OVERRIDDEN"
    NOT_A_TEXT_FLAG = "NOT_A_TEXT_FLAG"
    UNKNOWN_VARIANT = "UNKNOWN_VARIANT"
    TRIED = "TRIED"
    UNKNOWN_MODEL = "UNKNOWN_MODEL"
    INACTIVE = "INACTIVE"
    RETIRED = "RETIRED"
    PROVIDER_OFF = "PROVIDER_OFF"
    NOT_AVAILABLE = "NOT_AVAILABLE"
    AVAILABILITY_UNREADABLE = "AVAILABILITY_UNREADABLE"
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


class Choice(NamedTuple):
    """A model that was asked for, and the one that serves in its place once it is retired.

    `refusal` is what holds for every account; None: usable, unless `available_to` says no.
    """

    asked: str
    model: CatalogueModel
    price: Price
    refusal: Refusal | None

    @property
    def successor(self) -> str | None:
        return None if self.model.model_id == self.asked else self.model.model_id


# The candidate that gave the model, the model, and what the flag decided where one did.
Chosen = tuple[Reason, Choice, Any]


class Step(NamedTuple):
    """One candidate that a resolution looked at; no refusal means it was taken.

    `why` is the refusal in words, with what was seen; of an override that was taken, which.
    `successor` serves in the retired model's place; `decision` is the flag's, with its own trail.
    """

    candidate: Reason
    model_id: str | None
    refusal: Refusal | None
    why: str | None = None
    flag: str | None = None
    successor: str | None = None
    decision: Any = None


class Markup(NamedTuple):
    """What an account pays above the cost, and the flag's decision; without a variant it is 0."""

    percent: Decimal
    decision: Any

    @property
    def reason(self) -> str:
        return str(self.decision.reason)

    @property
    def rule(self) -> str | None:
        rule: str | None = self.decision.rule
        return rule


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment_of(us: int) -> datetime:
    """Of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=us)


class Resolution(NamedTuple):
    """The pipeline's answer: the model for an account's task, and why.

    `us` are microseconds since 1970. What is worked out when it is asked for, `route` works out
    of the account's `facts`.
    """

    route: Any
    facts: Any
    chosen: Chosen
    us: int
    trail: tuple[Step, ...] | None

    def __repr__(self) -> str:
        asked = f"{self.account_key!r}, {self.task!r}"
        return f"<Resolution {asked}: {self.model.model_id} by {self.reason}>"

    @property
    def account_key(self) -> str:
        key: str = self.facts.key
        return key

    @property
    def reason(self) -> Reason:
        return self.chosen[0]

    @property
    def decision(self) -> Any:
        """The flag's, where one decided."""
        return self.chosen[2]

    @property
    def task(self) -> str:
        key: str = self.route.task.key
        return key

    @property
    def model(self) -> CatalogueModel:
        return self.chosen[1].model

    @property
    def price(self) -> Price:
        """The one in force."""
        return self.chosen[1].price

    @property
    def replaces(self) -> str | None:
        """The retired model in whose place this one is."""
        choice = self.chosen[1]
        return choice.asked if choice.successor else None

    @property
    def revision(self) -> int | None:
        """The number of what decided; None for the plan's figures and an open transaction."""
        number: int | None = self.route.number
        return number

    @property
    def flag(self) -> str | None:
        return self.decision.flag if self.decision else None

    @property
    def rule(self) -> str | None:
        return self.decision.rule if self.decision else None

    @property
    def account_facts(self) -> dict[str, Any]:
        """What was known of the account, as JSON: to replay the resolution by, months later."""
        told: dict[str, Any] = self.facts.told_at(self.us // 1000)
        return told

    @property
    def at(self) -> datetime:
        return moment_of(self.us)

    @property
    def markup(self) -> Markup:
        is_explained = self.trail is not None
        markup: Markup = self.route.markup(self.facts, self.us // 1000, trail=is_explained)
        return markup

    @property
    def fallbacks(self) -> list[Resolution]:
        """The next usable candidates, in order."""
        return list(self.route.fallbacks(self))


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
    """What the pipeline gives back; `cost` is None where the provider did not say what it took.

    `charge` is what the account pays.
    """

    request_id: UUID
    content: Content
    finish_reason: str
    resolution: Resolution
    provider: str
    model_served: str
    meters: Mapping[Meter, int] | None
    cost: Decimal | None
    charge: Decimal | None
