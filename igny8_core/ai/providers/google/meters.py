"""Google's usage block, as meters."""

from __future__ import annotations

from igny8_core.ai.providers.usage import (
    Reading,
    UsageBlock,
    cached,
    count,
    modality,
    output_with,
    total,
)
from igny8_core.pricing.meters import Meter


def google_meters(usage: UsageBlock) -> Reading:
    """Of generateContent; thoughts stand beside the candidates, and are added.

    Raises UsageUnclear, InvalidQuantity.
    """
    thoughts = count(usage, "thoughtsTokenCount")
    into = total(usage, "promptTokenCount") + count(usage, "toolUsePromptTokenCount")
    audio, image = (modality(usage, "promptTokensDetails", each) for each in ("AUDIO", "IMAGE"))
    parts = None
    if isinstance(usage.get("cacheTokensDetails"), list):
        parts = {
            Meter.CACHED_AUDIO_INPUT_TOKENS: modality(usage, "cacheTokensDetails", "AUDIO"),
            Meter.CACHED_IMAGE_INPUT_TOKENS: modality(usage, "cacheTokensDetails", "IMAGE"),
        }
    found = cached(into, count(usage, "cachedContentTokenCount"), audio, image, parts)
    candidates = count(usage, "candidatesTokenCount")
    counts = {
        Meter.INPUT_TOKENS: into,
        Meter.AUDIO_INPUT_TOKENS: audio,
        Meter.IMAGE_INPUT_TOKENS: image,
        **found.meters,
        Meter.OUTPUT_TOKENS: candidates + thoughts,
        Meter.REASONING_TOKENS: thoughts,
        Meter.AUDIO_OUTPUT_TOKENS: modality(usage, "candidatesTokensDetails", "AUDIO"),
        Meter.IMAGE_OUTPUT_TOKENS: modality(usage, "candidatesTokensDetails", "IMAGE"),
    }
    if usage.get("totalTokenCount") is not None:
        said = output_with(usage, "totalTokenCount", into, candidates, thoughts)
        counts[Meter.OUTPUT_TOKENS] = said
    return Reading(counts, found.note)
