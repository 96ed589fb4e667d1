"""Anthropic's usage block, as meters."""

from __future__ import annotations

from igny8_core.ai.providers.counts import Counts, UsageBlock, count, used
from igny8_core.pricing.meters import Meter


def anthropic_meters(usage: UsageBlock) -> Counts:
    """Of messages; what was cached stands beside the fresh input, and is added.

    Raises InvalidQuantity.
    """
    read = count(usage, "cache_read_input_tokens")
    written = count(usage, "cache_creation_input_tokens")
    for_an_hour = count(usage, "cache_creation", "ephemeral_1h_input_tokens")
    counts = {
        Meter.INPUT_TOKENS: count(usage, "input_tokens") + read + written,
        Meter.CACHED_INPUT_TOKENS: read,
        Meter.CACHE_WRITE_5M_TOKENS: written - for_an_hour,
        Meter.CACHE_WRITE_1H_TOKENS: for_an_hour,
        Meter.OUTPUT_TOKENS: count(usage, "output_tokens"),
        Meter.WEB_SEARCHES: count(usage, "server_tool_use", "web_search_requests"),
    }
    return used(counts)
