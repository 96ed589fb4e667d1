"""OpenAI's usage block, as meters."""

from __future__ import annotations

from igny8_core.ai.providers.counts import Counts, UsageBlock, count, used
from igny8_core.pricing.meters import Meter


def openai_meters(usage: UsageBlock) -> Counts:
    """Of chat completions, responses, embeddings and images; its parts are inside its totals.

    Raises InvalidQuantity.
    """
    into, out = ("prompt", "completion") if "prompt_tokens" in usage else ("input", "output")
    counts = {
        Meter.INPUT_TOKENS: count(usage, f"{into}_tokens"),
        Meter.CACHED_INPUT_TOKENS: count(usage, f"{into}_tokens_details", "cached_tokens"),
        Meter.AUDIO_INPUT_TOKENS: count(usage, f"{into}_tokens_details", "audio_tokens"),
        Meter.IMAGE_INPUT_TOKENS: count(usage, f"{into}_tokens_details", "image_tokens"),
        Meter.OUTPUT_TOKENS: count(usage, f"{out}_tokens"),
        Meter.REASONING_TOKENS: count(usage, f"{out}_tokens_details", "reasoning_tokens"),
        Meter.AUDIO_OUTPUT_TOKENS: count(usage, f"{out}_tokens_details", "audio_tokens"),
        Meter.IMAGE_OUTPUT_TOKENS: count(usage, f"{out}_tokens_details", "image_tokens"),
    }
    return used(counts)
