"""Usage blocks as providers write them, and the meters that they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from igny8_core.ai.providers.anthropic.meters import anthropic_meters
from igny8_core.ai.providers.google.meters import google_meters
from igny8_core.ai.providers.openai.meters import embedding_meters, openai_meters
from igny8_core.ai.providers.usage import Reading
from igny8_core.ai.providers.usage import read as usage_of
from igny8_core.pricing.errors import InvalidQuantity
from igny8_core.pricing.meters import Meter
from igny8_core.pricing.prices import PER_MILLION, Price, RateLine
from igny8_core.pricing.quotes import quote

AT = datetime(2026, 11, 25, tzinfo=UTC)
Read = Callable[[Mapping[str, Any]], Reading]


BLOCKS: list[tuple[str, Read, dict[str, Any], dict[str, int]]] = [
    (
        "a chat completion",
        openai_meters,
        {
            "prompt_tokens": 130_213,
            "completion_tokens": 482,
            "total_tokens": 130_695,
            "prompt_tokens_details": {"cached_tokens": 128_955, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 448, "audio_tokens": None},
        },
        {
            "input_tokens": 130_213,
            "cached_input_tokens": 128_955,
            "output_tokens": 482,
            "reasoning_tokens": 448,
        },
    ),
    (
        "a response",
        openai_meters,
        {"input_tokens": 5, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 7},
        {"input_tokens": 5, "output_tokens": 7},
    ),
    (
        "an embedding",
        embedding_meters,
        {"prompt_tokens": 8, "total_tokens": 8},
        {"input_tokens": 8},
    ),
    (
        "a message with both caches",
        anthropic_meters,
        {
            "input_tokens": 5,
            "cache_read_input_tokens": 128_955,
            "cache_creation_input_tokens": 1_253,
            "cache_creation": {
                "ephemeral_5m_input_tokens": 1_000,
                "ephemeral_1h_input_tokens": 253,
            },
            "output_tokens": 10,
            "server_tool_use": {"web_search_requests": 3},
        },
        {
            "input_tokens": 130_213,
            "cached_input_tokens": 128_955,
            "cache_write_5m_tokens": 1_000,
            "cache_write_1h_tokens": 253,
            "output_tokens": 10,
            "web_searches": 3,
        },
    ),
    (
        "a plain message",
        anthropic_meters,
        {"input_tokens": 5, "output_tokens": 10},
        {"input_tokens": 5, "output_tokens": 10},
    ),
    (
        "audio and text, some of both cached",
        google_meters,
        {
            "promptTokenCount": 2_000,
            "cachedContentTokenCount": 1_200,
            "candidatesTokenCount": 10,
            "totalTokenCount": 2_010,
            "promptTokensDetails": [
                {"modality": "TEXT", "tokenCount": 500},
                {"modality": "AUDIO", "tokenCount": 1_500},
            ],
            "cacheTokensDetails": [
                {"modality": "TEXT", "tokenCount": 200},
                {"modality": "AUDIO", "tokenCount": 1_000},
            ],
        },
        {
            "input_tokens": 2_000,
            "audio_input_tokens": 1_500,
            "cached_input_tokens": 200,
            "cached_audio_input_tokens": 1_000,
            "output_tokens": 10,
        },
    ),
    (
        "generated content with thoughts",
        google_meters,
        {
            "promptTokenCount": 100,
            "cachedContentTokenCount": 40,
            "candidatesTokenCount": 50,
            "thoughtsTokenCount": 30,
            "toolUsePromptTokenCount": 7,
            "promptTokensDetails": [
                {"modality": "TEXT", "tokenCount": 90},
                {"modality": "AUDIO", "tokenCount": 10},
            ],
            "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 20}],
        },
        {
            "input_tokens": 107,
            "cached_input_tokens": 40,
            "audio_input_tokens": 10,
            "output_tokens": 80,
            "reasoning_tokens": 30,
            "image_output_tokens": 20,
        },
    ),
]


@pytest.mark.parametrize(
    ("read", "usage", "meters"), [pytest.param(*rest, id=name) for name, *rest in BLOCKS]
)
def test_usage__block_of_a_provider__is_these_meters(
    read: Read, usage: dict[str, Any], meters: dict[str, int]
) -> None:
    found = usage_of(usage, read)
    assert (found.meters, found.block) == (meters, usage)


@pytest.mark.parametrize(
    ("read", "usage", "named"),
    [
        (openai_meters, {"prompt_tokens": -1}, "prompt_tokens is -1"),
        (
            openai_meters,
            {
                "prompt_tokens": 1,
                "completion_tokens": 1,
                "prompt_tokens_details": {"cached_tokens": "1"},
            },
            "prompt_tokens_details.cached_tokens is '1'",
        ),
        (
            anthropic_meters,
            {"input_tokens": 1, "cache_read_input_tokens": 1.5},
            "cache_read_input_tokens is 1.5",
        ),
        (google_meters, {"thoughtsTokenCount": True}, "thoughtsTokenCount is True"),
    ],
)
def test_usage__count_that_is_none__is_refused_with_its_name(
    read: Read, usage: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidQuantity, match=named):
        read(usage)


def test_usage__one_call_in_two_conventions__costs_the_same() -> None:
    rates = [("input_tokens", "3"), ("cached_input_tokens", "0.30"), ("output_tokens", "15")]
    price = Price("m", [RateLine(Meter(name), Decimal(rate), PER_MILLION) for name, rate in rates])
    theirs = anthropic_meters(
        {"input_tokens": 1_258, "cache_read_input_tokens": 128_955, "output_tokens": 482}
    )
    ours = openai_meters(
        {
            "prompt_tokens": 130_213,
            "prompt_tokens_details": {"cached_tokens": 128_955},
            "completion_tokens": 482,
        }
    )
    costs = {quote(price, found.meters, at=AT).cost for found in (theirs, ours)}
    assert costs == {Decimal("0.0496905")}


def test_usage__two_models_in_one_answer__are_each_at_their_own_price() -> None:
    cheap, dear = (
        Price(name, [RateLine(Meter.OUTPUT_TOKENS, Decimal(rate), PER_MILLION)])
        for name, rate in (("cheap", "1"), ("dear", "10"))
    )
    parts = [
        quote(cheap, {"output_tokens": 300}, at=AT),
        quote(dear, {"output_tokens": 200}, at=AT),
    ]
    assert sum((part.cost for part in parts), Decimal(0)) == Decimal("0.0023")


def test_usage__cached_audio_that_is_not_told_apart__is_an_estimate_that_says_so() -> None:
    found = usage_of(
        {
            "promptTokenCount": 2_000,
            "cachedContentTokenCount": 1_200,
            "candidatesTokenCount": 0,
            "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 1_500}],
        },
        google_meters,
    )
    assert found.meters == {
        "input_tokens": 2_000,
        "audio_input_tokens": 1_500,
        "cached_input_tokens": 500,
        "cached_audio_input_tokens": 700,
        "output_tokens": 0,
    }
    assert found.note == "Which input was cached is an estimate: text first."


def test_usage__thoughts_inside_the_candidates__are_not_counted_twice() -> None:
    block = {
        "promptTokenCount": 10,
        "candidatesTokenCount": 50,
        "thoughtsTokenCount": 30,
        "totalTokenCount": 60,
    }
    found = usage_of(block, google_meters)
    assert found.meters is not None
    assert (found.meters[Meter.OUTPUT_TOKENS], found.meters[Meter.REASONING_TOKENS]) == (50, 30)
