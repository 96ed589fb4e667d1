"""Prices and quotes: the cases of tests/cases/prices.json, properties, and another's catalogue."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from genai_prices import types
from genai_prices.data import providers
from hypothesis import given
from hypothesis import strategies as st

from igny8_core.catalogue.fallback import FALLBACK_MODELS
from igny8_core.catalogue.models import price_of
from igny8_core.errors import AIError
from igny8_core.pricing.conditions import PriceContext, parse_condition
from igny8_core.pricing.errors import (
    InvalidAmount,
    InvalidCondition,
    InvalidMarkup,
    InvalidMoment,
    RateGap,
    RateTie,
    TierGap,
)
from igny8_core.pricing.meters import Meter
from igny8_core.pricing.money import money_text
from igny8_core.pricing.prices import (
    PER_MILLION,
    Price,
    RateLine,
    billable,
    headline_lines,
    price_at,
)
from igny8_core.pricing.quotes import quote

TABLE = json.loads((Path(__file__).parents[2] / "cases" / "prices.json").read_text())
AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
MINI = price_of(FALLBACK_MODELS["gpt-4o-mini"], AT)


def line(
    meter: str, amount: object, per: int = PER_MILLION, condition: dict[str, Any] | None = None
) -> RateLine:
    condition = condition or {}
    return RateLine(Meter(meter), Decimal(str(amount)), per, parse_condition(condition), condition)


def price(*lines: RateLine, **facts: Any) -> Price:
    return Price("m", lines, **facts)


PRICES = {
    name: price(*(line(**facts) for facts in lines)) for name, lines in TABLE["prices"].items()
}


@pytest.mark.parametrize("case", [pytest.param(each, id=each["name"]) for each in TABLE["cases"]])
def test_case__of_the_table__costs_that_or_is_refused(case: dict[str, Any]) -> None:
    at = datetime.fromisoformat(case["at"]) if "at" in case else AT
    context = PriceContext(**case.get("context", {}))
    if "refused" in case:
        with pytest.raises(AIError) as refusal:
            quote(PRICES[case["price"]], case["meters"], at=at, context=context)
        assert refusal.value.code == case["refused"]
        assert case["says"] in str(refusal.value)
        return
    answer = quote(PRICES[case["price"]], case["meters"], at=at, context=context)
    assert answer.cost == Decimal(case["cost"])
    assert sum((each.amount for each in answer.lines), Decimal(0)) == answer.cost


# Dates


YESTERDAY, TOMORROW = AT - timedelta(days=1), AT + timedelta(days=1)


def test_price_at__cut_yesterday_and_rise_tomorrow__each_call_at_its_own() -> None:
    dated = [
        price(line("input_tokens", rate), effective_from=since)
        for rate, since in (
            (3, datetime(2026, 1, 1, tzinfo=UTC)),
            (2, YESTERDAY),
            (4, TOMORROW),
        )
    ]
    for at, rate in [
        (YESTERDAY - timedelta(seconds=1), 3),
        (YESTERDAY, 2),
        (AT, 2),
        (TOMORROW - timedelta(microseconds=1), 2),
        (TOMORROW, 4),
        (TOMORROW + timedelta(days=900), 4),
    ]:
        found = price_at(dated, at)
        assert found is not None
        assert quote(found, {"input_tokens": PER_MILLION}, at=at).cost == rate
    assert price_at(dated, datetime(2025, 12, 31, tzinfo=UTC)) is None
    assert price_at([], AT) is None


def test_quote__moment_without_a_zone__is_refused() -> None:
    with pytest.raises(InvalidMoment):
        quote(MINI, {}, at=datetime(2026, 1, 1))  # noqa: DTZ001


# Properties


quantities = st.integers(min_value=0, max_value=10**15)
picos = st.integers(min_value=1, max_value=10**12)
used = st.dictionaries(st.sampled_from([Meter.INPUT_TOKENS, Meter.OUTPUT_TOKENS]), quantities)


def rates_of(*pico: int) -> list[RateLine]:
    amounts = (Decimal(each) / 10**6 for each in pico)
    return [line(meter, amount) for meter, amount in zip(Meter, amounts, strict=False)]


@given(picos, picos, quantities, st.data())
def test_quote__any_rates_and_tokens__equals_the_fraction(
    rate: int, cached_rate: int, tokens: int, data: st.DataObject
) -> None:
    cached = data.draw(st.integers(min_value=0, max_value=tokens))
    lines = rates_of(rate, cached_rate)
    meters = {"input_tokens": tokens, "cached_input_tokens": cached}
    for order in (lines, lines[::-1]):
        answer = quote(price(*order), meters, at=AT)
        expected = Fraction((tokens - cached) * rate + cached * cached_rate, 10**12)
        assert Fraction(answer.cost) == expected
        assert sum((each.amount for each in answer.lines), Decimal(0)) == answer.cost


@given(used, used)
def test_quote__two_calls__cost_their_sum(one: dict[Meter, int], other: dict[Meter, int]) -> None:
    both = {meter: one.get(meter, 0) + other.get(meter, 0) for meter in {*one, *other}}
    both = {meter: min(quantity, 10**15) for meter, quantity in both.items()}
    costs = [quote(MINI, meters, at=AT).cost for meters in (one, other, both)]
    if all(both[meter] == one.get(meter, 0) + other.get(meter, 0) for meter in both):
        assert costs[0] + costs[1] == costs[2]


@given(quantities, quantities)
def test_quote__more_tokens_within_a_tier__cost_no_less(one: int, other: int) -> None:
    less, more = sorted((one, other))
    costs = [quote(MINI, {"input_tokens": each}, at=AT).cost for each in (less, more)]
    assert costs[0] <= costs[1]


def test_quote__a_million_tiny_calls__cost_exactly_their_sum() -> None:
    one = quote(MINI, {"input_tokens": 1}, at=AT).cost
    assert one == Decimal("0.00000015")
    assert sum([one] * 1_000_000, Decimal(0)) == Decimal("0.15")


@given(quantities, st.decimals(min_value=-100, max_value=10_000, places=4))
def test_charge__any_markup__is_exact_and_not_negative(tokens: int, markup: Decimal) -> None:
    answer = quote(MINI, {"input_tokens": tokens}, at=AT, markup_percent=markup)
    assert Fraction(answer.charge) == Fraction(answer.cost) * (100 + Fraction(markup)) / 100
    assert answer.charge >= 0


@pytest.mark.parametrize(
    ("markup", "charge"),
    [(None, "0.15"), (0, "0.15"), (20, "0.18"), (12.5, "0.16875"), (-100, "0")],
)
def test_charge__of_a_markup__is_that_much_more(markup: float | None, charge: str) -> None:
    answer = quote(MINI, {"input_tokens": PER_MILLION}, at=AT, markup_percent=markup)
    assert (answer.cost, answer.charge) == (Decimal("0.15"), Decimal(charge))


@pytest.mark.parametrize("markup", [-100.01, 10_001, float("nan"), float("inf"), True, "20"])
def test_charge__markup_that_is_none__is_refused(markup: Any) -> None:
    with pytest.raises(InvalidMarkup, match="The markup is"):
        quote(MINI, {}, at=AT, markup_percent=markup)


# A price's own faults


I = "input_tokens"  # noqa: E741 - as in the table of cases
O = "output_tokens"  # noqa: E741 - as above


@pytest.mark.parametrize(
    ("lines", "error", "named"),
    [
        ([(I, 1), (I, 2)], RateTie, ["1.00", "2.00"]),
        (
            [(I, 1), (I, 2, {"processing": "batch"}), (I, 3, {"context": "> 5"})],
            RateTie,
            ["batch", "> 5"],
        ),
        (
            [(I, 1), (I, 2, {"hours": "01:00-05:00"}), (I, 3, {"hours": "04:00-06:00"})],
            RateTie,
            ["01:00-05:00", "04:00-06:00"],
        ),
        ([(I, 1, {"size": "a"}), (I, 2, {"quality": "b"})], RateTie, ["size", "quality"]),
        ([(I, 2, {"context": "> 5"})], RateGap, ["> 5"]),
        (
            [(I, 1, {"hours": "01:00-04:00"}), (I, 2, {"hours": "05:00-01:00"})],
            RateGap,
            ["01:00-04:00", "05:00-01:00"],
        ),
        ([(I, 1, {"weekdays": ["sat"]})], RateGap, ["sat"]),
        ([(I, 1, {"processing": "batch", "context": "> 5"}), (I, 1)], RateGap, ["batch"]),
    ],
)
def test_price__tie_or_gap__is_refused_with_the_lines_named(
    lines: list[Any], error: type[AIError], named: list[str]
) -> None:
    made = [line(meter, amount, condition=dict(*rest)) for meter, amount, *rest in lines]
    for order in (made, made[::-1]):
        if error is RateGap and "batch" in named and len(made) > 1:
            price(*order)  # the line without a condition holds for batch too
            continue
        with pytest.raises(error) as refusal:
            price(*order)
        assert all(name in str(refusal.value) for name in named)


@pytest.mark.parametrize("amount", ["0", "-1", "NaN", "Infinity", "0.0000001"])
def test_price__amount_that_is_no_rate__is_refused(amount: str) -> None:
    with pytest.raises(InvalidAmount, match="input_tokens at"):
        price(line(I, amount))


@pytest.mark.parametrize(
    ("facts", "named"),
    [
        ([], "condition is []"),
        ({"tier": "x"}, "condition is 'tier'"),
        ({"context": "200000"}, "context is '200000'"),
        ({"context": "< 5"}, "context is '< 5'"),
        ({"context": 5}, "context is 5"),
        ({"processing": "Slow lane"}, "processing is 'Slow lane'"),
        ({"processing": None}, "processing is None"),
        ({"size": ""}, "size is ''"),
        ({"region": 3}, "region is 3"),
        ({"hours": "24:00-01:00"}, "hours is '24:00-01:00'"),
        ({"hours": "1-2"}, "hours is '1-2'"),
        ({"weekdays": []}, "weekdays is []"),
        ({"weekdays": ["monday"]}, "weekdays is ['monday']"),
    ],
)
def test_condition__that_is_none__is_refused_with_its_value(facts: Any, named: str) -> None:
    with pytest.raises(InvalidCondition) as refusal:
        parse_condition(facts)
    assert named in str(refusal.value)


@pytest.mark.parametrize(
    ("model_type", "meters", "complete"),
    [
        ("text", ["input_tokens", "output_tokens"], True),
        ("text", ["input_tokens"], False),
        ("text", [], False),
        ("image", ["images"], True),
        ("image", ["image_output_tokens"], True),
        ("image", ["input_tokens", "output_tokens"], False),
        ("embedding", ["input_tokens"], True),
        ("embedding", ["output_tokens"], False),
    ],
)
def test_price__of_each_type__knows_what_it_needs(
    model_type: str, meters: list[str], complete: bool
) -> None:
    made = price(*(line(meter, 1) for meter in meters))
    assert made.is_complete(model_type) is complete
    assert price(is_free=True).is_complete(model_type)


def test_price__free__costs_nothing_of_anything() -> None:
    answer = quote(price(is_free=True), {"input_tokens": 5, "images": 3}, at=AT)
    assert answer.cost == 0
    assert not answer.lines


def test_headline__of_a_price__is_what_has_no_condition() -> None:
    assert PRICES["batch"].headline("text") == (Decimal(2), Decimal(8))
    assert PRICES["pictures"].headline("image") == (Decimal(0), Decimal(0))
    assert price(*headline_lines("image", [Decimal("0.04"), Decimal(0)])).headline("image") == (
        Decimal("0.04"),
        Decimal(0),
    )
    assert headline_lines("text", [Decimal(0), Decimal(0)]) == []


@pytest.mark.parametrize(
    ("lines", "kept"),
    [("pictures", {"images"}), ("picture tokens", {"input_tokens", "image_output_tokens"})],
)
def test_billable__pictures_in_number_and_in_tokens__are_counted_once(
    lines: str, kept: set[str]
) -> None:
    meters = {"images": 1, "input_tokens": 5, "image_output_tokens": 7}
    assert {*billable(PRICES[lines], meters)} == kept


def test_billable__price_of_both__takes_the_tokens_where_they_were_counted() -> None:
    both = price(*PRICES["pictures"].lines, *PRICES["picture tokens"].lines)
    meters = {"images": 1, "input_tokens": 5, "image_output_tokens": 7}
    assert {*billable(both, meters)} == {"input_tokens", "image_output_tokens"}
    assert {*billable(both, {"images": 1})} == {"images"}


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0.00"),
        ("14", "14.00"),
        ("0.60", "0.60"),
        ("0.042", "0.042"),
        ("1E-7", "0.0000001"),
        ("1E+3", "1000.00"),
        ("0.000000020000", "0.00000002"),
    ],
)
def test_money_text__amount__has_every_digit_and_two_decimals(amount: str, text: str) -> None:
    assert money_text(Decimal(amount)) == text


# Another's catalogue: every model of three providers that our meters can say


METERS = {
    "input_mtok": ("input_tokens", PER_MILLION),
    "cache_read_mtok": ("cached_input_tokens", PER_MILLION),
    "cache_write_mtok": ("cache_write_5m_tokens", PER_MILLION),
    "cache_write_1h_mtok": ("cache_write_1h_tokens", PER_MILLION),
    "output_mtok": ("output_tokens", PER_MILLION),
    "input_audio_mtok": ("audio_input_tokens", PER_MILLION),
    "cache_audio_read_mtok": ("cached_audio_input_tokens", PER_MILLION),
    "output_audio_mtok": ("audio_output_tokens", PER_MILLION),
    "input_image_mtok": ("image_input_tokens", PER_MILLION),
    "cache_image_read_mtok": ("cached_image_input_tokens", PER_MILLION),
    "output_image_mtok": ("image_output_tokens", PER_MILLION),
    "web_searches_kcount": ("web_searches", 1000),
    "requests_kcount": ("requests", 1000),
    "input_mchars": ("characters", PER_MILLION),
}
WHOLES = {
    "cached_audio_input_tokens": "audio_input_tokens",
    "cached_image_input_tokens": "image_input_tokens",
    "cached_input_tokens": "input_tokens",
    "cache_write_5m_tokens": "input_tokens",
    "cache_write_1h_tokens": "input_tokens",
    "audio_input_tokens": "input_tokens",
    "image_input_tokens": "input_tokens",
    "audio_output_tokens": "output_tokens",
    "image_output_tokens": "output_tokens",
}
DATES = [datetime(year, 6, 1, 3, tzinfo=UTC) for year in (2024, 2025, 2026)]


def their_prices(model: types.ModelInfo, at: datetime) -> dict[str, Any] | None:
    """What their catalogue says of the model at the moment, where our meters can say it."""
    try:
        found = model.get_prices(at)
    except (LookupError, ValueError):
        return None
    rates = {name: rate for name, rate in vars(found).items() if rate is not None}
    return rates if {*rates} <= {*METERS} else None


def our_lines(rates: dict[str, Any]) -> Iterator[RateLine]:
    for name, rate in rates.items():
        meter, per = METERS[name]
        base = rate.base if isinstance(rate, types.TieredPrices) else rate
        if base:
            yield line(meter, base, per)
        for tier in rate.tiers if isinstance(rate, types.TieredPrices) else ():
            yield line(meter, tier.price, per, {"context": f"> {tier.start}"})


def by_fractions(rates: dict[str, Any], usage: dict[str, int]) -> Fraction:
    """The same cost worked out by itself: parts out of their wholes, then each at its rate."""
    left = dict(usage)
    for part, whole in WHOLES.items():
        left[whole] = left.get(whole, 0) - usage.get(part, 0)
    cost = Fraction(0)
    for name, rate in rates.items():
        meter, per = METERS[name]
        applied = rate
        if isinstance(rate, types.TieredPrices):
            reached = [tier for tier in rate.tiers if usage.get("input_tokens", 0) > tier.start]
            applied = max(reached, key=lambda tier: tier.start).price if reached else rate.base
        cost += Fraction(applied) * left.get(meter, 0) / per
    return cost


def random_usage(rates: dict[str, Any], draw: random.Random) -> dict[str, int]:
    """Near the tiers' boundaries as often as not."""
    starts = [
        tier.start
        for rate in rates.values()
        if isinstance(rate, types.TieredPrices)
        for tier in rate.tiers
    ]
    near = [start + step for start in starts for step in (-1, 0, 1)] or [1000]
    rated = {METERS[name][0] for name, rate in rates.items() if rate}
    usage = {meter: draw.randrange(5) for meter in rated - {*WHOLES} - {*WHOLES.values()}}
    if "input_tokens" in rated:
        usage["input_tokens"] = draw.choice([draw.randrange(1_000_000), draw.choice(near)])
    if {"output_tokens", "image_output_tokens"} & rated:
        usage["output_tokens"] = draw.randrange(100_000)
    left = dict(usage)
    for part, whole in reversed(WHOLES.items()):  # wholes before their parts
        if part in rated and whole in usage:
            usage[part] = draw.randrange(left[whole] + 1)
            left[part] = usage[part]
            left[whole] -= usage[part]
    if "output_tokens" not in rated and "output_tokens" in usage:
        usage["output_tokens"] = usage.get("image_output_tokens", 0)
    return usage


def test_quote__every_model_of_three_catalogues__equals_the_fractions() -> None:
    draw, compared = random.Random(8), 0  # noqa: S311 - a fixed seed
    for provider in providers:
        if provider.id not in {"openai", "anthropic", "google"}:
            continue
        for model in provider.models:
            for at in DATES:
                rates = their_prices(model, at)
                lines = list(our_lines(rates)) if rates else []
                if rates is None or not lines:
                    continue
                ours = price(*lines)
                for _ in range(20):
                    usage = random_usage(rates, draw)
                    answer = quote(ours, usage, at=at)
                    assert Fraction(answer.cost) == by_fractions(rates, usage), (model.id, usage)
                    compared += 1
    assert compared > 9_000


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([(I, 1), (I, 2, {"processing": "flex"}), (O, 1)], "input_tokens and none for output"),
        ([(I, 1), (O, 2, {"processing": "flex"}), (O, 1)], "output_tokens and none for input"),
        ([(I, 1), (I, 2, {"processing": "flex"}), (O, 1), (O, 2, {"processing": "flex"})], ""),
        ([(I, 1), (I, 2, {"processing": "flex"})], ""),
    ],
)
def test_tier__of_input_and_not_of_output__is_refused(lines: list[Any], told: str) -> None:
    made = price(*(line(meter, amount, condition=dict(*rest)) for meter, amount, *rest in lines))
    if not told:
        made.check_tiers()
        return
    with pytest.raises(TierGap, match=f"“flex” has a rate for {told}"):
        made.check_tiers()
