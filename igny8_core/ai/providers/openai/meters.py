"""OpenAI's usage block, as meters."""

from __future__ import annotations

from igny8_core.ai.providers.usage import (
    Counts,
    Reading,
    UsageBlock,
    cached,
    count,
    output_with,
    total,
)
from igny8_core.pricing.meters import Meter


def openai_meters(usage: UsageBlock) -> Reading:
    """Of chat completions, responses and images; its parts are inside its totals.

    Raises UsageUnclear, InvalidQuantity.
    """
    into, out = ("prompt", "completion") if "prompt_tokens" in usage else ("input", "output")
    whole, details = total(usage, f"{into}_tokens"), f"{out}_tokens_details"
    said = total(usage, f"{out}_tokens")
    reasoning = count(usage, details, "reasoning_tokens")
    found = _input(usage, into, whole)
    counts = {
        **found.meters,
        Meter.OUTPUT_TOKENS: output_with(usage, "total_tokens", whole, said, reasoning),
        Meter.REASONING_TOKENS: reasoning,
        Meter.AUDIO_OUTPUT_TOKENS: count(usage, details, "audio_tokens"),
        Meter.IMAGE_OUTPUT_TOKENS: count(usage, details, "image_tokens"),
    }
    return Reading(counts, found.note)


def embedding_meters(usage: UsageBlock) -> Reading:
    """Raises UsageUnclear, InvalidQuantity."""
    return Reading({Meter.INPUT_TOKENS: total(usage, "prompt_tokens")})


def image_meters(usage: UsageBlock) -> Reading:
    """Of pictures: the output is one but for what the block says is text.

    Raises UsageUnclear, InvalidQuantity.
    """
    found = openai_meters(usage)
    if not found.meters[Meter.IMAGE_OUTPUT_TOKENS]:
        text = count(usage, "output_tokens_details", "text_tokens")
        drawn = found.meters[Meter.OUTPUT_TOKENS] - text
        return found._replace(meters={**found.meters, Meter.IMAGE_OUTPUT_TOKENS: drawn})
    return found


def _input(usage: UsageBlock, name: str, whole: int) -> Reading:
    details = f"{name}_tokens_details"
    audio, image = (count(usage, details, f"{each}_tokens") for each in ("audio", "image"))
    inside = f"{details}.cached_tokens_details"
    block = usage.get(details)
    parts: Counts | None = None
    if isinstance(block, dict) and isinstance(block.get("cached_tokens_details"), dict):
        parts = {
            meter: count(usage, *inside.split("."), f"{each}_tokens")
            for meter, each in (
                (Meter.CACHED_AUDIO_INPUT_TOKENS, "audio"),
                (Meter.CACHED_IMAGE_INPUT_TOKENS, "image"),
            )
        }
    found = cached(whole, count(usage, details, "cached_tokens"), audio, image, parts)
    counts = {
        Meter.INPUT_TOKENS: whole,
        Meter.AUDIO_INPUT_TOKENS: audio,
        Meter.IMAGE_INPUT_TOKENS: image,
    }
    return found._replace(meters={**counts, **found.meters})
