"""Anthropic's usage block, as meters."""

from __future__ import annotations

from igny8_core.ai.providers.usage import Reading, UsageBlock, count, total
from igny8_core.pricing.meters import Meter


def anthropic_meters(usage: UsageBlock) -> Reading:
    """Of messages; what was cached stands beside the fresh input, and is added.

    Raises UsageUnclear, InvalidQuantity.
    """
    read = count(usage, "cache_read_input_tokens")
    written = count(usage, "cache_creation_input_tokens")
    for_an_hour = count(usage, "cache_creation", "ephemeral_1h_input_tokens")
    return Reading(
        {
            Meter.INPUT_TOKENS: total(usage, "input_tokens") + read + written,
            Meter.CACHED_INPUT_TOKENS: read,
            Meter.CACHE_WRITE_5M_TOKENS: written - for_an_hour,
            Meter.CACHE_WRITE_1H_TOKENS: for_an_hour,
            Meter.OUTPUT_TOKENS: total(usage, "output_tokens"),
            Meter.WEB_SEARCHES: count(usage, "server_tool_use", "web_search_requests"),
        }
    )
