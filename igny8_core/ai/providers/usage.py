"""Reads a provider's usage block: what an answer took, never guessed in silence."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from igny8_core.ai.providers.errors import UsageUnclear
from igny8_core.errors import AIError
from igny8_core.pricing.errors import InvalidQuantity
from igny8_core.pricing.meters import Meter, exclusive
from igny8_core.pricing.money import DECIMALS

UsageBlock = Mapping[str, Any]
Counts = dict[Meter, int]
# More than any answer takes; and of more the money would not fit a receipt.
MAX_TOKENS: Final = 10**9
# What it says of cost is kept up to here; more is taken for nonsense.
_MOST_USD: Final = 1_000_000
_LONGEST: Final = 20_000
_NO_BLOCK: Final = "The answer has no usage block."


class Usage(NamedTuple):
    """`meters` is None where what was used is unknown: `note` says why, or what is an estimate.

    `block` is what the provider sent, as JSON; `cost_reported` what it says it costs, USD.
    """

    block: Any
    meters: Counts | None
    note: str = ""
    cost_reported: Decimal | None = None

    @property
    def text(self) -> str:
        """The block as a receipt keeps it: JSON, or "" where it is none, or too long."""
        text = "" if self.block is None else json.dumps(self.block, default=str)
        return text if len(text) <= _LONGEST else ""


class Reading(NamedTuple):
    """What a block says; `note` where a part of it is estimated."""

    meters: Counts
    note: str = ""


def read(block: Any, meters_of: Callable[[UsageBlock], Reading], *, cost: Any = None) -> Usage:
    """Whatever the block is: a paid answer never fails for it. `cost` is what it says of cost."""
    reported, notes = _cost(cost)
    if not isinstance(block, Mapping):
        what = _NO_BLOCK if block is None else "The answer has a usage block that is no object."
        return Usage(block, None, " ".join([what, *notes]), reported)
    try:
        found = meters_of(block)
        exclusive(found.meters)
    except AIError as error:
        return Usage(block, None, " ".join([str(error), *notes]), reported)
    said = [found.note] if found.note else []
    return Usage(block, _used(found.meters), " ".join([*said, *notes]), reported)


def with_pictures(usage: Usage, number: int) -> Usage:
    """Pictures are counted also where the block says nothing; where it is odd, nothing is."""
    if usage.block is not None and usage.meters is None:
        return usage
    note = usage.note.removeprefix(_NO_BLOCK).strip()
    return usage._replace(meters={Meter.IMAGES: number, **(usage.meters or {})}, note=note)


def _cost(value: Any) -> tuple[Decimal | None, list[str]]:
    """Rounded to the decimals that a receipt keeps; None for what is no cost, and a note then."""
    if value is None:
        return None, []
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    if is_number and 0 <= value <= _MOST_USD:
        return round(Decimal(str(value)), DECIMALS), []
    return None, [f"The reported cost {value!r:.60} is none."]


def _used(counts: Counts) -> Counts:
    """Totals always, parts where there are any."""
    always = {Meter.INPUT_TOKENS, Meter.OUTPUT_TOKENS}
    return {meter: count for meter, count in counts.items() if count or meter in always}


def count(usage: UsageBlock, *path: str) -> int:
    """The whole number at the path; 0 where it is not said. Raises InvalidQuantity."""
    found = _at(usage, path)
    return 0 if found is None else _checked(path, found)


def total(usage: UsageBlock, *path: str) -> int:
    """The whole number at the path, which has to be there; raises UsageUnclear, InvalidQuantity."""
    found = _at(usage, path)
    if found is None:
        raise UsageUnclear(f"The usage block has no {'.'.join(path)}.")
    return _checked(path, found)


def _at(usage: UsageBlock, path: Iterable[str]) -> Any:
    found: Any = usage
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _checked(path: Iterable[str], found: Any) -> int:
    if type(found) is not int or not 0 <= found <= MAX_TOKENS:
        raise InvalidQuantity(".".join(path), found, least=0, most=MAX_TOKENS)
    return found


def output_with(usage: UsageBlock, name: str, into: int, out: int, reasoning: int) -> int:
    """The output by the block's own total: reasoning may stand beside it.

    Raises UsageUnclear for a total that neither explains.
    """
    if usage.get(name) is None:
        return out
    whole = count(usage, name)
    if whole == into + out:
        return out
    if whole == into + out + reasoning:
        return out + reasoning
    beside = f", nor with {reasoning} of reasoning beside it" if reasoning else ""
    raise UsageUnclear(f"{name} is {whole}: that is not {into} + {out}{beside}.")


def modality(usage: UsageBlock, name: str, modality: str) -> int:
    """Tokens of one modality in a list of the usage block; 0 where there is no list."""
    details = usage.get(name)
    rows: Iterable[Any] = details if isinstance(details, list) else ()
    return sum(
        count(row, "tokenCount")
        for row in rows
        if isinstance(row, Mapping) and row.get("modality") == modality
    )


def cached(into: int, cached: int, audio: int, image: int, parts: Counts | None) -> Reading:
    """What was cached of text, audio and images, each once; `parts` is what the block says of it.

    Where it does not say, text is taken as cached first: that is an estimate.
    """
    if parts is not None:
        inside = parts[Meter.CACHED_AUDIO_INPUT_TOKENS] + parts[Meter.CACHED_IMAGE_INPUT_TOKENS]
        return Reading({Meter.CACHED_INPUT_TOKENS: cached - inside, **parts})
    if not audio + image:
        return Reading({Meter.CACHED_INPUT_TOKENS: cached})
    text = min(cached, max(into - audio - image, 0))
    of_audio = min(cached - text, audio)
    counts = {
        Meter.CACHED_INPUT_TOKENS: text,
        Meter.CACHED_AUDIO_INPUT_TOKENS: of_audio,
        Meter.CACHED_IMAGE_INPUT_TOKENS: cached - text - of_audio,
    }
    return Reading(counts, "Which input was cached is an estimate: text first." if cached else "")
