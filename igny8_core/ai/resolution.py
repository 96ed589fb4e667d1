"""The pipeline's answer: the model for an account's task, its price, and why.

Over 200 lines: the reasons and refusals are listed here, each once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

from flags.accounts import Facts
from flags.engine import Decision
from flags.engine.times import datetime_of_us
from igny8_core.catalogue.billing import Bill, bill_of
from igny8_core.catalogue.models import Catalogue, CatalogueModel, CatalogueProvider
from igny8_core.pricing.prices import Price
from igny8_core.tasks.tasks import Task


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
    CIRCUIT_OPEN = "CIRCUIT_OPEN"
    UNKNOWN_MODEL = "UNKNOWN_MODEL"
    INACTIVE = "INACTIVE"
    RETIRED = "RETIRED"
    PROVIDER_OFF = "PROVIDER_OFF"
    NOT_IMPLEMENTED = "NOT_IMPLEMENTED"
    NO_KEY = "NO_KEY"
    NOT_AVAILABLE = "NOT_AVAILABLE"
    AVAILABILITY_UNREADABLE = "AVAILABILITY_UNREADABLE"
    WRONG_TYPE = "WRONG_TYPE"
    UNPRICED = "UNPRICED"
    NO_JSON_MODE = "NO_JSON_MODE"
    NO_VISION = "NO_VISION"
    CONTEXT_TOO_SMALL = "CONTEXT_TOO_SMALL"


# What holds for nobody and at no time: no model is refused for a moment.
NOTHING_REFUSED: Final[Mapping[str, Refusal]] = MappingProxyType({})


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
Chosen = tuple[Reason, Choice, Decision | None]


class TrailEntry(NamedTuple):
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
    decision: Decision | None = None


class Markup(NamedTuple):
    """What an account pays above the cost, and the flag's decision; without a variant it is 0."""

    percent: Decimal
    decision: Decision

    @property
    def reason(self) -> str:
        return str(self.decision.reason)

    @property
    def rule(self) -> str | None:
        return self.decision.rule


class Origin(Protocol):
    """What a resolution was chosen from; it works out what is asked of the resolution later."""

    task: Task
    number: int | None
    catalogue: Catalogue

    def astray(self, facts: Facts) -> list[str]: ...

    def markup(self, facts: Facts, now_ms: int, *, trail: bool) -> Markup: ...

    def fallbacks(self, resolution: Resolution) -> Iterator[Resolution]: ...


class Resolution(NamedTuple):
    """The pipeline's answer: the model for an account's task, and why.

    `at_us` are microseconds since 1970; `refused` are models that could not be used just then.
    Markup and fallbacks are worked out when they are asked for, from the account's `facts`.
    """

    origin: Origin
    facts: Facts
    chosen: Chosen
    at_us: int
    trail: tuple[TrailEntry, ...] | None
    refused: Mapping[str, Refusal]

    def __repr__(self) -> str:
        asked = f"{self.account_key!r}, {self.task!r}"
        return f"<Resolution {asked}: {self.model.model_id} by {self.reason}>"

    @property
    def account_key(self) -> str:
        return self.facts.key or ""

    @property
    def reason(self) -> Reason:
        return self.chosen[0]

    @property
    def decision(self) -> Decision | None:
        """The flag's, where one decided."""
        return self.chosen[2]

    @property
    def task(self) -> str:
        return self.origin.task.key

    @property
    def model(self) -> CatalogueModel:
        return self.chosen[1].model

    @property
    def provider(self) -> CatalogueProvider:
        """Who answers for the model."""
        return self.origin.catalogue.providers[self.model.provider]

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
        return self.origin.number

    @property
    def flag(self) -> str | None:
        return self.decision.flag if self.decision else None

    @property
    def rule(self) -> str | None:
        return self.decision.rule if self.decision else None

    @property
    def variant(self) -> str | None:
        return self.decision.variant if self.decision else None

    @property
    def account_facts(self) -> dict[str, Any]:
        """What was known of the account, as JSON: to replay the resolution by, months later."""
        return self.facts.to_json(self.at_us // 1000)

    @property
    def at(self) -> datetime:
        return datetime_of_us(self.at_us)

    @property
    def markup(self) -> Markup:
        is_explained = self.trail is not None
        return self.origin.markup(self.facts, self.at_us // 1000, trail=is_explained)

    @property
    def fallbacks(self) -> list[Resolution]:
        """The next usable candidates, in order."""
        return list(self.origin.fallbacks(self))

    def bill(self, served: str) -> Bill:
        """The price of an answer under the name of a model that the provider gave."""
        return bill_of(self.origin.catalogue, self.model, served, self.at)
