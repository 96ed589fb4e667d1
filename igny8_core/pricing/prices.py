"""Dated prices: a model's rate lines from a moment on, checked when they are made."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import combinations
from typing import Any, Final, NamedTuple

from igny8_core.pricing.conditions import ALWAYS, ANY, Condition, PriceContext, Processing
from igny8_core.pricing.errors import InvalidAmount, RateGap, RateTie, TierGap
from igny8_core.pricing.meters import HEADLINE, PARENTS, REQUIRED, Meter, Meters, ModelType
from igny8_core.pricing.money import DECIMALS, EXACT, money_text

PER_MILLION: Final = 1_000_000
ALWAYS_SINCE: Final = datetime(1, 1, 1, tzinfo=UTC)


class RateLine(NamedTuple):
    """`amount` USD per `per` of a meter, where the condition holds.

    `written` is the condition as JSON, as it was written.
    """

    meter: Meter
    amount: Decimal
    per: int
    condition: Condition = ANY
    written: Any = None

    @property
    def pico(self) -> int:
        """Pico-dollars for one; raises InvalidAmount where they would not be whole."""
        if not self.amount.is_finite() or self.amount <= 0 or self.per <= 0:
            raise InvalidAmount(self.meter, self.amount, self.per)
        try:
            pico, rest = divmod(EXACT.scaleb(self.amount, DECIMALS), self.per)
        except ArithmeticError:
            raise InvalidAmount(self.meter, self.amount, self.per) from None
        if rest:
            raise InvalidAmount(self.meter, self.amount, self.per)
        return int(pico)

    def __str__(self) -> str:
        where = f" {self.written}" if self.written else ""
        return f"{self.meter} {money_text(self.amount)} per {self.per}{where}"


class Price:
    """The rate lines of a model from a moment on, ready to quote with. Immutable.

    `key` names it to whoever keeps it. Raises InvalidAmount, RateTie, RateGap.
    """

    __slots__ = (
        "currency",
        "effective_from",
        "is_free",
        "key",
        "lines",
        "model_id",
        "plain",
        "processings",
        "rated",
    )

    def __init__(  # noqa: PLR0913 - a price's facts
        self,
        model_id: str,
        lines: Iterable[RateLine],
        *,
        effective_from: datetime = ALWAYS_SINCE,
        is_free: bool = False,
        key: int | None = None,
        currency: str = "USD",
    ) -> None:
        self.model_id = model_id
        self.lines = tuple(lines)
        self.effective_from = effective_from
        self.is_free = is_free
        self.key = key
        self.currency = currency
        by_meter: dict[Meter, list[RateLine]] = {}
        for line in self.lines:
            by_meter.setdefault(line.meter, []).append(line)
        for each in by_meter.values():
            _check_lines(each)
        self.rated = {
            meter: tuple(
                (line, line.pico)
                for line in sorted(each, key=lambda line: line.condition.specificity)
            )
            for meter, each in by_meter.items()
        }
        # Meters that cost the same whatever the call was like.
        self.plain: dict[str, tuple[RateLine, int, str | None]] = {
            meter.value: (*each[0], PARENTS[meter].value if meter in PARENTS else None)
            for meter, each in self.rated.items()
            if len(each) == 1 and each[0][0].condition == ANY
        }
        self.processings = frozenset(
            {Processing.STANDARD, *(line.condition.processing for line in self.lines)} - {None}
        )

    def is_complete(self, model_type: str) -> bool:
        """Whether a model of this type can be used with it."""
        return self.is_free or any(
            meters <= self.rated.keys() for meters in REQUIRED[ModelType(model_type)]
        )

    def check_tiers(self) -> None:
        """Raises TierGap: what was served so would be billed at that tier in part alone."""
        into, out = (
            {line.condition.processing for line, _ in self.rated.get(meter, ())}
            for meter in (Meter.INPUT_TOKENS, Meter.OUTPUT_TOKENS)
        )
        if into and out:
            for tier in sorted(filter(None, into ^ out)):
                names = [Meter.INPUT_TOKENS.value, Meter.OUTPUT_TOKENS.value]
                raise TierGap(tier, *(names if tier in into else reversed(names)))

    def headline(self, model_type: str) -> tuple[Decimal, Decimal]:
        """The input rate and the output rate where no condition is; 0 where there is none."""
        plain = {line.meter: line.amount for line in self.lines if line.condition == ANY}
        rates = [plain.get(meter, Decimal(0)) for meter in HEADLINE[ModelType(model_type)]]
        return rates[0], rates[1] if len(rates) > 1 else Decimal(0)

    def line_for(
        self, meter: Meter, context_tokens: int, context: PriceContext, at: datetime
    ) -> tuple[RateLine, int] | None:
        """The most specific line that holds, and its pico-dollars for one."""
        for rated in self.rated.get(meter, ()):
            if rated[0].condition.holds(context_tokens, context, at):
                return rated
        return None


def _check_lines(lines: Sequence[RateLine]) -> None:
    """Of two lines that hold for the same call, one must be the more specific: no tie, no gap."""
    conditions = {line.condition for line in lines}
    for one, other in combinations(lines, 2):
        both = one.condition.meet(other.condition)
        if one.condition == other.condition or (both is not None and both not in conditions):
            raise RateTie(str(one), str(other))
    for line in lines:
        where = _any_time(line.condition)
        covered = 0
        for each in conditions:
            if each.context == 0 and _any_time(each).meet(where) == where:
                covered |= each.minutes
        if covered != ALWAYS:
            others = (str(other) for other in lines if other is not line)
            raise RateGap(str(line), next(others, None))


def _any_time(condition: Condition) -> Condition:
    return condition._replace(context=0, minutes=ALWAYS)


def headline_lines(model_type: str, rates: Iterable[Decimal]) -> list[RateLine]:
    """The lines of an input rate and an output rate; a rate of zero makes none."""
    meters = HEADLINE[ModelType(model_type)]
    return [
        RateLine(meter, rate, 1 if meter == Meter.IMAGES else PER_MILLION)
        for meter, rate in zip(meters, rates, strict=False)
        if rate
    ]


def billable(price: Price, meters: Meters) -> Meters:
    """Of pictures that are counted in number and in tokens, the count that the price is made of.

    The tokens where it has rates for both: they are what was drawn.
    """
    if Meter.IMAGES not in meters or Meter.IMAGE_OUTPUT_TOKENS not in meters:
        return meters
    by_number = Meter.IMAGES in price.rated and Meter.IMAGE_OUTPUT_TOKENS not in price.rated
    return {
        Meter(name): quantity
        for name, quantity in meters.items()
        if (name == Meter.IMAGES) is by_number
    }


def price_at(prices: Sequence[Price], at: datetime) -> Price | None:
    """The price in force: of those in order of their beginnings, the last that has begun."""
    index = bisect_right(prices, at, key=lambda price: price.effective_from)
    return prices[index - 1] if index else None
