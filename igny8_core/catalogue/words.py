"""What changed between two catalogue sections, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from igny8_core.catalogue.section import COLUMNS, Json, ProviderEntry, moment_of
from igny8_core.pricing.meters import Meter
from igny8_core.pricing.words import condition_text


def sentences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """What has changed, a sentence for each fact: “gpt-5.2: output_tokens 14.00 → 12.00”."""
    for table, word, facts in (
        ("models", "model", _model_sentences),
        ("providers", "provider", _provider_sentences),
        ("aliases", "alias", _alias_sentences),
    ):
        old, new = before.get(table, {}), after.get(table, {})
        for name in [*old, *(each for each in new if each not in old)]:
            if name not in new:
                yield f"{word} {name}: removed"
            elif name not in old:
                yield f"{word} {name}: added"
            elif old[name] != new[name]:
                for fact in facts(old[name], new[name]):
                    yield f"{word} {name}: {fact}"


def _provider_sentences(old: Json, new: Json) -> Iterator[str]:
    for name in ProviderEntry.__annotations__:
        if old[name] != new[name]:
            yield f"{name} {_told(old[name])} → {_told(new[name])}"


def _alias_sentences(old: Json, new: Json) -> Iterator[str]:
    for moment in sorted({*old, *new}):
        if old.get(moment) != new.get(moment):
            day = moment_of(moment).strftime("%Y-%m-%d %H:%M:%S")
            yield f"{_told(old.get(moment))} → {_told(new.get(moment))} from {day}"


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
    if value in (None, "", []):
        return "nothing"
    if isinstance(value, list):
        return ", ".join(value)
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
