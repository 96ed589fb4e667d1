"""What providers report of a call, as meters: each provider's usage block is read here alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from igny8_core.ai.exceptions import InvalidQuantity
from igny8_core.ai.meters import MAX_QUANTITY
from igny8_core.ai.values import Meter

Usage = Mapping[str, Any]
Counts = dict[Meter, int]


def openai_meters(usage: Usage) -> Counts:
    """Of chat completions, responses, embeddings and images; its parts are inside its totals.

    Raises InvalidQuantity.
    """
    into, out = ("prompt", "completion") if "prompt_tokens" in usage else ("input", "output")
    counts = {
        Meter.INPUT_TOKENS: _count(usage, f"{into}_tokens"),
        Meter.CACHED_INPUT_TOKENS: _count(usage, f"{into}_tokens_details", "cached_tokens"),
        Meter.AUDIO_INPUT_TOKENS: _count(usage, f"{into}_tokens_details", "audio_tokens"),
        Meter.IMAGE_INPUT_TOKENS: _count(usage, f"{into}_tokens_details", "image_tokens"),
        Meter.OUTPUT_TOKENS: _count(usage, f"{out}_tokens"),
        Meter.REASONING_TOKENS: _count(usage, f"{out}_tokens_details", "reasoning_tokens"),
        Meter.AUDIO_OUTPUT_TOKENS: _count(usage, f"{out}_tokens_details", "audio_tokens"),
        Meter.IMAGE_OUTPUT_TOKENS: _count(usage, f"{out}_tokens_details", "image_tokens"),
    }
    return _used(counts)


def anthropic_meters(usage: Usage) -> Counts:
    """Of messages; what was cached stands beside the fresh input, and is added.

    Raises InvalidQuantity.
    """
    read = _count(usage, "cache_read_input_tokens")
    written = _count(usage, "cache_creation_input_tokens")
    for_an_hour = _count(usage, "cache_creation", "ephemeral_1h_input_tokens")
    counts = {
        Meter.INPUT_TOKENS: _count(usage, "input_tokens") + read + written,
        Meter.CACHED_INPUT_TOKENS: read,
        Meter.CACHE_WRITE_5M_TOKENS: written - for_an_hour,
        Meter.CACHE_WRITE_1H_TOKENS: for_an_hour,
        Meter.OUTPUT_TOKENS: _count(usage, "output_tokens"),
        Meter.WEB_SEARCHES: _count(usage, "server_tool_use", "web_search_requests"),
    }
    return _used(counts)


def google_meters(usage: Usage) -> Counts:
    """Of generateContent; thoughts stand beside the candidates, and are added.

    Raises InvalidQuantity.
    """
    thoughts = _count(usage, "thoughtsTokenCount")
    counts = {
        Meter.INPUT_TOKENS: _count(usage, "promptTokenCount")
        + _count(usage, "toolUsePromptTokenCount"),
        Meter.CACHED_INPUT_TOKENS: _count(usage, "cachedContentTokenCount"),
        Meter.AUDIO_INPUT_TOKENS: _modality(usage, "promptTokensDetails", "AUDIO"),
        Meter.OUTPUT_TOKENS: _count(usage, "candidatesTokenCount") + thoughts,
        Meter.REASONING_TOKENS: thoughts,
        Meter.AUDIO_OUTPUT_TOKENS: _modality(usage, "candidatesTokensDetails", "AUDIO"),
        Meter.IMAGE_OUTPUT_TOKENS: _modality(usage, "candidatesTokensDetails", "IMAGE"),
    }
    return _used(counts)


def _used(counts: Counts) -> Counts:
    """Totals always, parts where there are any."""
    always = {Meter.INPUT_TOKENS, Meter.OUTPUT_TOKENS}
    return {meter: count for meter, count in counts.items() if count or meter in always}


def _count(usage: Usage, *path: str) -> int:
    """The whole number at the path; 0 where it is not said."""
    found: Any = usage
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    if found is None:
        return 0
    if type(found) is not int or not 0 <= found <= MAX_QUANTITY:
        raise InvalidQuantity(".".join(path), found, least=0, most=MAX_QUANTITY)
    return found


def _modality(usage: Usage, name: str, modality: str) -> int:
    details = usage.get(name)
    rows: Iterable[Any] = details if isinstance(details, list) else ()
    return sum(
        _count(row, "tokenCount")
        for row in rows
        if isinstance(row, Mapping) and row.get("modality") == modality
    )
