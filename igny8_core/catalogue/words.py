"""What changed between two catalogue sections, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from igny8_core.catalogue.section import COLUMNS, Json, moment_of
from igny8_core.pricing.meters import Meter
from igny8_core.pricing.words import condition_text


def sentences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """What has changed, a sentence for each fact: “gpt-5.2: output_tokens 14.00 → 12.00”."""
    old, new = before.get("models", {}), after.get("models", {})
    for model_id in [*old, *(each for each in new if each not in old)]:
        if model_id not in new:
            yield f"model {model_id}: removed"
        elif model_id not in old:
            yield f"model {model_id}: added"
        elif old[model_id] != new[model_id]:
            for fact in _model_sentences(old[model_id], new[model_id]):
                yield f"model {model_id}: {fact}"


def _model_sentences(old: Json, new: Json) -> Iterator[str]:
    for name in COLUMNS:
        if old.get(name) != new.get(name):
            yield f"{name} {_told(old.get(name))} → {_told(new.get(name))}"
    before, after = old["prices"], new["prices"]
    for moment in sorted({*before, *after}):
        if before.get(moment) == after.get(moment):
            continue
        day = moment_of(moment).strftime("%Y-%m-%d %H:%M:%S")
        if moment not in after:
            yield f"price from {day} cancelled"
            continue
        earlier = max((each for each in after if each < moment), default=None)
        last = before.get(moment) or (after[earlier] if earlier else None)
        yield f"{_rates(last, after[moment])} from {day}"


def _told(value: object) -> str:
    if value is None:
        return "nothing"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _rates(old: Json | None, new: Json) -> str:
    """The rates that differ from the price before."""
    if new["is_free"]:
        return "free"
    before = {_where(line): line for line in (old["lines"] if old else ())}
    after = {_where(line): line for line in new["lines"]}
    told = []
    for where in [*before, *(each for each in after if each not in before)]:
        one, other = (_rate(side.get(where)) for side in (before, after))
        if one != other:
            told.append(f"{where} {one} → {other}")
    return ", ".join(told) or "the same rates"


def _where(line: Json) -> str:
    rate = condition_text(line.get("condition"))
    return Meter(line["meter"]).value + (f" ({rate})" if rate else "")


def _rate(line: Json | None) -> str:
    if line is None:
        return "nothing"
    return line["amount"] if line["per"] in {1, 10**6} else f"{line['amount']} per {line['per']}"
