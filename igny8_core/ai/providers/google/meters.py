"""Google's usage block, as meters."""

from __future__ import annotations

from igny8_core.ai.providers.counts import Counts, UsageBlock, count, modality, used
from igny8_core.pricing.meters import Meter


def google_meters(usage: UsageBlock) -> Counts:
    """Of generateContent; thoughts stand beside the candidates, and are added.

    Raises InvalidQuantity.
    """
    thoughts = count(usage, "thoughtsTokenCount")
    counts = {
        Meter.INPUT_TOKENS: count(usage, "promptTokenCount")
        + count(usage, "toolUsePromptTokenCount"),
        Meter.CACHED_INPUT_TOKENS: count(usage, "cachedContentTokenCount"),
        Meter.AUDIO_INPUT_TOKENS: modality(usage, "promptTokensDetails", "AUDIO"),
        Meter.OUTPUT_TOKENS: count(usage, "candidatesTokenCount") + thoughts,
        Meter.REASONING_TOKENS: thoughts,
        Meter.AUDIO_OUTPUT_TOKENS: modality(usage, "candidatesTokensDetails", "AUDIO"),
        Meter.IMAGE_OUTPUT_TOKENS: modality(usage, "candidatesTokensDetails", "IMAGE"),
    }
    return used(counts)
