"""Dated prices and exact quotes: what given meters cost, line by line. Pure; money is Decimal."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation
from itertools import combinations
from typing import Any, Final, NamedTuple

from igny8_core.ai.conditions import (
    ALWAYS,
    ANY,
    STANDARD,
    Condition,
    PriceContext,
    Processing,
)
from igny8_core.ai.exceptions import (
    InvalidAmount,
    InvalidMarkup,
    InvalidMoment,
    MeterNotPriced,
    ProcessingNotPriced,
    RateGap,
    RateTie,
)
from igny8_core.ai.meters import (
    CHARGED_AS_PARENT,
    HEADLINE,
    MAX_QUANTITY,
    PARENTS,
    REQUIRED,
    Meters,
    exclusive,
    quantity_of,
)
from igny8_core.ai.values import CatalogueModel, Meter, ModelType

PER_MILLION: Final = 1_000_000
DECIMALS: Final = 12
_PICO: Final = Decimal(1).scaleb(-DECIMALS)
MIN_MARKUP, MAX_MARKUP = -100, 10_000

# Rounding anywhere in here would be a fault, so it raises.
EXACT: Final = Context(prec=80, traps=[Inexact, InvalidOperation])
ALWAYS_SINCE: Final = datetime(1, 1, 1, tzinfo=UTC)


class RateLine(NamedTuple):
    """`amount` USD per `per` of a meter, where the condition holds.

    `facts` is the condition as it was written.
    """

    meter: Meter
    amount: Decimal
    per: int
    condition: Condition = ANY
    facts: Any = None

    @property
    def pico(self) -> int:
        """Pico-dollars for one; raises InvalidAmount where they would not be whole."""
        if not self.amount.is_finite() or self.amount <= 0 or self.per <= 0:
            raise InvalidAmount(self.meter, self.amount, self.per)
        pico, rest = divmod(EXACT.scaleb(self.amount, DECIMALS), self.per)
        if rest:
            raise InvalidAmount(self.meter, self.amount, self.per)
        return int(pico)

    def __str__(self) -> str:
        where = f" {self.facts}" if self.facts else ""
        return f"{self.meter} {money_text(self.amount)} per {self.per}{where}"


class Price:
    """The rate lines of a model from a moment on, ready to quote with. Immutable.

    `key` names it to whoever keeps it. Raises InvalidAmount, RateTie, RateGap.
    """

    __slots__ = (
        "_plain",
        "_rated",
        "currency",
        "effective_from",
        "is_free",
        "key",
        "lines",
        "model_id",
        "processings",
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
        self._rated = {
            meter: tuple(
                (line, line.pico)
                for line in sorted(each, key=lambda line: line.condition.specificity)
            )
            for meter, each in by_meter.items()
        }
        # Meters that cost the same whatever the call was like.
        self._plain: dict[str, tuple[RateLine, int, str | None]] = {
            meter.value: (*each[0], PARENTS[meter].value if meter in PARENTS else None)
            for meter, each in self._rated.items()
            if len(each) == 1 and each[0][0].condition == ANY
        }
        self.processings = frozenset(
            {Processing.STANDARD, *(line.condition.processing for line in self.lines)} - {None}
        )

    def is_complete(self, model_type: str) -> bool:
        """Whether a model of this type can be used with it."""
        return self.is_free or any(
            meters <= self._rated.keys() for meters in REQUIRED[ModelType(model_type)]
        )

    def headline(self, model_type: str) -> tuple[Decimal, Decimal]:
        """The input rate and the output rate where no condition is; 0 where there is none."""
        plain = {line.meter: line.amount for line in self.lines if line.condition == ANY}
        rates = [plain.get(meter, Decimal(0)) for meter in HEADLINE[ModelType(model_type)]]
        return rates[0], rates[1] if len(rates) > 1 else Decimal(0)

    def line_for(
        self, meter: Meter, context_tokens: int, context: PriceContext, at: datetime
    ) -> tuple[RateLine, int] | None:
        """The most specific line that holds, and its pico-dollars for one."""
        for rated in self._rated.get(meter, ()):
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


class QuoteLine(NamedTuple):
    """A quantity of a meter at a rate; `pico` is the amount in pico-dollars."""

    line: RateLine
    quantity: int
    pico: int
    meter: Meter

    @property
    def rate(self) -> Decimal:
        return self.line.amount

    @property
    def per(self) -> int:
        return self.line.per

    @property
    def amount(self) -> Decimal:
        return EXACT.multiply(self.pico, _PICO)

    def facts(self) -> dict[str, Any]:
        """The line as JSON: money as text."""
        facts: dict[str, Any] = {
            "meter": self.meter.value,
            "quantity": self.quantity,
            "rate": money_text(self.rate),
            "per": self.per,
            "amount": money_text(self.amount),
        }
        if self.line.meter != self.meter:
            facts["charged_as"] = self.line.meter.value
        if self.line.facts:
            facts["condition"] = self.line.facts
        return facts


class Quote(NamedTuple):
    """What given meters cost. `cost` is the sum of the lines, `charge` what the account pays.

    Both are exact; a charge may have more than twelve decimals.
    """

    price: Price
    lines: tuple[QuoteLine, ...]
    pico: int
    markup_percent: Decimal

    @property
    def model_id(self) -> str:
        return self.price.model_id

    @property
    def currency(self) -> str:
        return self.price.currency

    @property
    def cost(self) -> Decimal:
        return EXACT.multiply(self.pico, _PICO)

    @property
    def charge(self) -> Decimal:
        return charge_of(self.cost, self.markup_percent)


def charge_of(cost: Decimal, markup_percent: Decimal) -> Decimal:
    """What an account pays for it, exactly."""
    return EXACT.scaleb(EXACT.multiply(cost, EXACT.add(Decimal(100), markup_percent)), -2)


_NO_MARKUP: Final = Decimal(0)
# What a NamedTuple's own constructor does, in half the time.
_new: Final = tuple.__new__


def headline_lines(model_type: str, rates: Iterable[Decimal]) -> list[RateLine]:
    """The lines of an input rate and an output rate; a rate of zero makes none."""
    meters = HEADLINE[ModelType(model_type)]
    return [
        RateLine(meter, rate, 1 if meter == Meter.IMAGES else PER_MILLION)
        for meter, rate in zip(meters, rates, strict=False)
        if rate
    ]


def billable(price: Price, meters: Meters) -> Meters:
    """Of pictures that are counted in number and in tokens, the count that the price is made of."""
    if Meter.IMAGES not in meters or Meter.IMAGE_OUTPUT_TOKENS not in meters:
        return meters
    by_number = Meter.IMAGES in price._rated
    return {
        Meter(name): quantity
        for name, quantity in meters.items()
        if (name == Meter.IMAGES) is by_number
    }


def price_at(prices: Sequence[Price], at: datetime) -> Price | None:
    """The price in force: of those in order of their beginnings, the last that has begun."""
    index = bisect_right(prices, at, key=lambda price: price.effective_from)
    return prices[index - 1] if index else None


def price_of(model: CatalogueModel, at: datetime) -> Price:
    """The model's price in force; one without lines where it has none."""
    return price_at(model.prices, at) or Price(model.model_id, ())


def quote(
    price: Price,
    meters: Meters,
    *,
    at: datetime,
    context: PriceContext = STANDARD,
    markup_percent: float | Decimal | None = None,
) -> Quote:
    """Price the meters exactly; a child that has no rate is charged as its parent where it may be.

    `at` is the call's moment, for rates that depend on the hour. Raises UnknownMeter,
    InvalidQuantity, ImpossibleUsage, InvalidMoment, InvalidMarkup, ProcessingNotPriced, and
    MeterNotPriced where a meter that was used has no line. Zero of a meter needs none.
    """
    if at.tzinfo is None:
        raise InvalidMoment(at)
    markup = _NO_MARKUP if markup_percent is None else _markup(markup_percent)
    if context is not STANDARD and context.processing not in price.processings:
        raise ProcessingNotPriced(price.model_id, context.processing)
    rated = price._plain
    left: Any = meters
    for meter, quantity in meters.items():
        if meter not in rated or type(quantity) is not int or not 0 <= quantity <= MAX_QUANTITY:
            return _quote(price, meters, at, context, markup)
        parent = rated[meter][2]
        if parent is not None:
            if left is meters:
                left = dict(meters)
            left[parent] = left.get(parent, 0) - quantity
    lines, total = [], 0
    for meter, quantity in left.items():
        if quantity > 0:
            line, pico, _ = rated[meter]
            amount = pico * quantity
            lines.append(_new(QuoteLine, (line, quantity, amount, line[0])))
            total += amount
        elif quantity:
            return _quote(price, meters, at, context, markup)
    return _new(Quote, (price, tuple(lines), total, markup))


def _quote(
    price: Price, meters: Meters, at: datetime, context: PriceContext, markup: Decimal
) -> Quote:
    """Any meters, of any price."""
    left = exclusive(meters)
    context_tokens = quantity_of(Meter.INPUT_TOKENS, meters)
    lines, total = [], 0
    if not price.is_free:
        for meter, quantity in left.items():
            line, pico = _rated(price, meter, context_tokens, context, at)
            lines.append(QuoteLine(line, quantity, pico * quantity, meter))
            total += pico * quantity
    return Quote(price, tuple(lines), total, markup)


def _rated(
    price: Price, meter: Meter, context_tokens: int, context: PriceContext, at: datetime
) -> tuple[RateLine, int]:
    asked: Meter | None = meter
    while asked is not None:
        rated = price.line_for(asked, context_tokens, context, at)
        if rated is not None:
            return rated
        asked = PARENTS.get(asked) if asked in CHARGED_AS_PARENT else None
    raise MeterNotPriced(price.model_id, meter, context)


def _markup(percent: float | Decimal) -> Decimal:
    is_number = isinstance(percent, int | float | Decimal) and not isinstance(percent, bool)
    markup = Decimal(str(percent)) if is_number else Decimal("NaN")
    if not markup.is_finite() or not MIN_MARKUP <= markup <= MAX_MARKUP:
        raise InvalidMarkup(percent, MIN_MARKUP, MAX_MARKUP)
    return markup


def money_text(amount: Decimal) -> str:
    """An amount as a person writes it: every digit that counts, at least two decimals."""
    whole, _, decimals = format(amount, "f").partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"
