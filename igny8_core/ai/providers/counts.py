"""Reads the numbers of a provider's usage block, strictly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from igny8_core.pricing.errors import InvalidQuantity
from igny8_core.pricing.meters import MAX_QUANTITY, Meter

UsageBlock = Mapping[str, Any]
Counts = dict[Meter, int]


def used(counts: Counts) -> Counts:
    """Totals always, parts where there are any."""
    always = {Meter.INPUT_TOKENS, Meter.OUTPUT_TOKENS}
    return {meter: count for meter, count in counts.items() if count or meter in always}


def count(usage: UsageBlock, *path: str) -> int:
    """The whole number at the path; 0 where it is not said."""
    found: Any = usage
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    if found is None:
        return 0
    if type(found) is not int or not 0 <= found <= MAX_QUANTITY:
        raise InvalidQuantity(".".join(path), found, least=0, most=MAX_QUANTITY)
    return found


def modality(usage: UsageBlock, name: str, modality: str) -> int:
    """Tokens of one modality in a list of the usage block; 0 where there is no list."""
    details = usage.get(name)
    rows: Iterable[Any] = details if isinstance(details, list) else ()
    return sum(
        count(row, "tokenCount")
        for row in rows
        if isinstance(row, Mapping) and row.get("modality") == modality
    )
