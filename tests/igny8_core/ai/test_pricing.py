from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igny8_core.ai.exceptions import InvalidQuantity, MeterNotPriced, UnknownMeter
from igny8_core.ai.fallback_rates import FALLBACK_MODELS
from igny8_core.ai.pricing import MAX_QUANTITY, Price, RateLine, money_text, price_of, quote
from igny8_core.ai.values import Meter

MINI = FALLBACK_MODELS["gpt-4o-mini"]
IMAGE = FALLBACK_MODELS["dall-e-3"]

quantities = st.integers(min_value=0, max_value=MAX_QUANTITY)
rates = st.decimals(min_value=0, max_value=999_999, places=4)


def test_quote__two_meters__lines_and_cost() -> None:
    answer = quote(price_of(MINI), {"input_tokens": 1000, "output_tokens": 500})
    assert [
        (line.meter, line.quantity, line.rate, line.per, line.amount) for line in answer.lines
    ] == [
        (Meter.INPUT_TOKENS, 1000, Decimal("0.15"), 1_000_000, Decimal("0.00015")),
        (Meter.OUTPUT_TOKENS, 500, Decimal("0.60"), 1_000_000, Decimal("0.0003")),
    ]
    assert (answer.cost, answer.currency) == (Decimal("0.00045"), "USD")


@given(quantities, quantities, rates, rates)
def test_quote__any_rates_and_tokens__equals_the_fraction(
    tokens_in: int, tokens_out: int, rate_in: Decimal, rate_out: Decimal
) -> None:
    price = Price(
        "m",
        (
            RateLine(Meter.INPUT_TOKENS, rate_in, 1_000_000),
            RateLine(Meter.OUTPUT_TOKENS, rate_out, 1_000_000),
        ),
        is_complete=True,
    )
    cost = quote(price, {"input_tokens": tokens_in, "output_tokens": tokens_out}).cost
    expected = (tokens_in * Fraction(rate_in) + tokens_out * Fraction(rate_out)) / 1_000_000
    assert Fraction(cost) == expected


def test_quote__a_million_tiny_calls__cost_exactly_their_sum() -> None:
    one = quote(price_of(MINI), {"input_tokens": 1}).cost
    assert one == Decimal("0.00000015")
    assert one * 1_000_000 == Decimal("0.15")


def test_quote__zero_of_a_meter_without_a_rate__costs_nothing() -> None:
    assert quote(price_of(IMAGE), {"input_tokens": 0}).cost == 0


def test_quote__meter_without_a_rate__is_refused() -> None:
    with pytest.raises(MeterNotPriced, match="'dall-e-3' has no price for output_tokens"):
        quote(price_of(IMAGE), {"output_tokens": 1})


def test_quote__unknown_meter__is_refused() -> None:
    with pytest.raises(UnknownMeter, match="'tokens'"):
        quote(price_of(MINI), {"tokens": 1})


def test_quote__most_tokens_and_one_more__is_priced_and_refused() -> None:
    assert quote(price_of(MINI), {"input_tokens": 10**15}).cost == Decimal(150000000)
    with pytest.raises(InvalidQuantity, match="input_tokens is 1000000000000001;"):
        quote(price_of(MINI), {"input_tokens": 10**15 + 1})


def test_price_of__rate_of_zero__makes_no_line_and_is_incomplete() -> None:
    price = price_of(MINI._replace(output_rate=Decimal(0)))
    assert [line.meter for line in price.lines] == [Meter.INPUT_TOKENS]
    assert not price.is_complete
    with pytest.raises(MeterNotPriced):
        quote(price, {"output_tokens": 1})


@pytest.mark.parametrize(
    ("model_type", "output_rate", "complete"),
    [("text", "1", True), ("text", "0", False), ("image", "0", True), ("embedding", "0", True)],
)
def test_price_of__each_type__knows_what_it_needs(
    model_type: str, output_rate: str, complete: bool
) -> None:
    model = MINI._replace(model_type=model_type, output_rate=Decimal(output_rate))
    assert price_of(model).is_complete is complete


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
