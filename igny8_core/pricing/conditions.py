"""When a rate holds: context length, processing, size, quality, region and hours, composed."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from igny8_core.pricing.errors import InvalidCondition

_CONTEXT: Final = re.compile(r"(>=?) ?([0-9]{1,15})")
_HOURS: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY: Final = 24 * 60
_WEEK: Final = 7 * _DAY
ALWAYS: Final = (1 << _WEEK) - 1


class Processing(StrEnum):
    """Service tiers by their usual names; a provider may report others."""

    STANDARD = "standard"
    BATCH = "batch"
    FLEX = "flex"
    PRIORITY = "priority"


class PriceContext(NamedTuple):
    """What of a call its price may depend on, beside its meters and its moment."""

    processing: str = Processing.STANDARD
    size: str | None = None
    quality: str | None = None
    region: str | None = None

    def as_billed(self, standard_tiers: Collection[str]) -> PriceContext:
        """With standard in the place of a service tier that is billed as such; any case."""
        is_standard = self.processing.casefold() in standard_tiers
        return self._replace(processing=Processing.STANDARD) if is_standard else self

    def to_json(self) -> dict[str, str]:
        """What is said; `PriceContext(**…)` reads it."""
        return {name: str(value) for name, value in self._asdict().items() if value is not None}


STANDARD: Final = PriceContext()


class Condition(NamedTuple):
    """What is None holds for any call.

    `context` is the least input that it holds for, in tokens; `minutes` has a bit for each minute
    of a UTC week, from Monday.
    """

    context: int = 0
    processing: str | None = None
    size: str | None = None
    quality: str | None = None
    region: str | None = None
    minutes: int = ALWAYS

    def holds(self, context_tokens: int, context: PriceContext, at: datetime) -> bool:
        return (
            context_tokens >= self.context
            and (self.processing is None or self.processing == context.processing)
            and (self.size is None or self.size == context.size)
            and (self.quality is None or self.quality == context.quality)
            and (self.region is None or self.region == context.region)
            and (self.minutes == ALWAYS or bool(self.minutes >> minute_of_week(at) & 1))
        )

    def meet(self, other: Condition) -> Condition | None:
        """Where both hold; None where they never do."""
        values = {}
        for name in PriceContext._fields:
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine is not None and theirs is not None and mine != theirs:
                return None
            values[name] = mine if mine is not None else theirs
        minutes = self.minutes & other.minutes
        if not minutes:
            return None
        return Condition(max(self.context, other.context), minutes=minutes, **values)

    @property
    def specificity(self) -> tuple[int, int, int]:
        """Sorts what holds for less before what holds for more."""
        named = sum(getattr(self, name) is not None for name in PriceContext._fields)
        return -named, -self.context, self.minutes.bit_count()


ANY: Final = Condition()


def minute_of_week(at: datetime) -> int:
    """In UTC, from Monday 00:00 on: 0 to 10,079."""
    utc = at.astimezone(UTC)
    return utc.weekday() * _DAY + utc.hour * 60 + utc.minute


def parse_condition(written: object) -> Condition:
    """The condition that a JSON object says; raises InvalidCondition.

    Its keys: `context` ("> 200000", ">= 200000"), `processing`, `size`, `quality`, `region`,
    `hours` ("22:00-06:00", UTC; they may end on the next day) and `weekdays` (["mon", …], on which
    the hours begin).
    """
    if not isinstance(written, Mapping):
        raise InvalidCondition("condition", written, "a JSON object")
    known = {"context", *PriceContext._fields, "hours", "weekdays"}
    for name in written:
        if name not in known:
            raise InvalidCondition("condition", name, f"one of {', '.join(sorted(known))}")
    values: dict[str, Any] = {name: _text(name, written[name]) for name in _TEXTS & {*written}}
    if "processing" in written:
        values["processing"] = _processing(written["processing"])
    if "context" in written:
        values["context"] = _context(written["context"])
    if "hours" in written or "weekdays" in written:
        values["minutes"] = _minutes(written.get("hours", "00:00-00:00"), written.get("weekdays"))
    return Condition(**values)


_TEXTS: Final = {"size", "quality", "region"}


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InvalidCondition(name, value, "a text")
    return value


def _processing(value: object) -> str:
    if isinstance(value, str) and is_tier(value):
        return value
    rule = f"a service tier in small letters, such as {', '.join(Processing)}"
    raise InvalidCondition("processing", value, rule)


def is_tier(value: str) -> bool:
    """Whether it may be the name of a service tier."""
    return bool(_TIER.fullmatch(value))


_TIER: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}")


def _context(value: object) -> int:
    found = _CONTEXT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise InvalidCondition("context", value, "“> n” or “>= n” input tokens")
    return int(found[2]) + (found[1] == ">")


def _minutes(hours: object, weekdays: object) -> int:
    found = _HOURS.fullmatch(hours) if isinstance(hours, str) else None
    if found is None:
        raise InvalidCondition("hours", hours, "like 22:00-06:00, UTC")
    days = list(WEEKDAYS) if weekdays is None else weekdays
    if not isinstance(days, list) or not days or not all(day in WEEKDAYS for day in days):
        raise InvalidCondition("weekdays", weekdays, f"some of {', '.join(WEEKDAYS)}")
    first = int(found[1]) * 60 + int(found[2])
    last = int(found[3]) * 60 + int(found[4])
    length = (last - first) % _DAY or _DAY
    minutes = 0
    for day in days:
        start = WEEKDAYS.index(day) * _DAY + first
        bits = ((1 << length) - 1) << start
        minutes |= bits | bits >> _WEEK  # what is over Sunday's end is on Monday
    return minutes & ALWAYS
