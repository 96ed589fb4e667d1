"""What can be wrong with meters, rates, conditions and quotes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from igny8_core.errors import AIError, UnknownName


class UnknownMeter(UnknownName):
    code = "unknown_meter"
    kind = "meter"


class InvalidQuantity(AIError):
    code = "invalid_quantity"

    def __init__(self, meter: str, value: object, *, least: int, most: int) -> None:
        self.meter = meter
        self.value = value
        super().__init__(f"{meter} is {value!r}; it must be a whole number from {least} to {most}.")


class ImpossibleMeters(AIError):
    """A meter's parts are more than the whole."""

    code = "impossible_usage"

    def __init__(self, meter: str, whole: int, parts: Mapping[str, int]) -> None:
        self.meter = meter
        named = " and ".join(f"{name} {quantity}" for name, quantity in parts.items())
        super().__init__(f"{named} cannot be part of {meter} {whole}.")


class InvalidMoment(AIError):
    code = "invalid_moment"

    def __init__(self, value: object) -> None:
        self.value = value
        shown = value.isoformat() if isinstance(value, datetime) else repr(value)
        super().__init__(
            f"{shown} is not a moment of the years 1 to 9999 with its zone, such as "
            "2026-12-01T00:00:00Z."
        )


class InvalidAmount(AIError):
    code = "invalid_amount"

    def __init__(self, meter: str, amount: object, per: object) -> None:
        self.meter = meter
        self.amount = amount
        self.per = per
        super().__init__(
            f"{meter} at {amount} per {per} is no rate: it must be above zero, and whole "
            "pico-dollars for one.",
        )


class InvalidCondition(AIError):
    code = "invalid_condition"

    def __init__(self, name: str, value: object, rule: str) -> None:
        self.name = name
        self.value = value
        super().__init__(f"{name} is {value!r}; it must be {rule}.")


class RateTie(AIError):
    """Two rates of a meter hold for the same call, and none is the more specific."""

    code = "rate_tie"

    def __init__(self, one: str, other: str) -> None:
        super().__init__(
            f"“{one}” and “{other}” may hold for the same call, and neither is the more specific: "
            "add a rate for where both hold.",
        )


class RateGap(AIError):
    """A meter has a rate at some hours or lengths, and none at others."""

    code = "rate_gap"

    def __init__(self, line: str, other: str | None) -> None:
        both = f"“{line}” and “{other}” leave" if other else f"“{line}” leaves"
        super().__init__(f"{both} calls without a rate: add one for the other hours and lengths.")


class TierGap(AIError):
    """A service tier has a rate for input and none for output, or the other way round."""

    code = "tier_gap"

    def __init__(self, tier: str, has: str, lacks: str) -> None:
        super().__init__(f"“{tier}” has a rate for {has} and none for {lacks}: add that line.")


class InvalidMarkup(AIError):
    code = "invalid_markup"

    def __init__(self, value: object, least: int, most: int) -> None:
        self.value = value
        super().__init__(f"The markup is {value}; it must be percent from {least} to {most}.")


class ProcessingNotPriced(AIError):
    code = "processing_not_priced"

    def __init__(self, model_id: str, processing: str) -> None:
        self.model_id = model_id
        self.processing = processing
        super().__init__(f"Model {model_id!r} has no price for {processing} processing.")


class MeterNotPriced(AIError):
    """A model has no rate for a meter that was used: an unknown price is never zero."""

    code = "meter_not_priced"

    def __init__(self, model_id: str, meter: str, context: Iterable[str | None] = ()) -> None:
        self.model_id = model_id
        self.meter = meter
        named = ", ".join(each for each in context if each and each != "standard")
        where = f" ({named})" if named else ""
        super().__init__(f"Model {model_id!r} has no price for {meter}{where}.")
