"""One flag of a document -> its plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flags.engine import index
from flags.engine.clauses import (
    Asked,
    CompiledClause,
    Predicate,
    Scope,
    all_of,
    compile_groups,
)
from flags.engine.decider import CompiledRule, Plan
from flags.engine.decision import Ask
from flags.engine.document import Flag, Requirement, named
from flags.engine.times import moment_ms


def _check_served(flag: Flag) -> None:
    """Raises KeyError for a variant that is not there: what is compiled can be decided."""
    serves = [rule["serve"] for rule in flag["rules"]]
    if flag["default"] is not None:
        serves.append(flag["default"])
    served = [each for each in (flag["off"], flag["force"]) if each is not None]
    for serve in serves:
        served += [serve["variant"]] if "variant" in serve else serve["split"]
    for variant in served:
        flag["variants"][variant]


def plan(key: str, flag: Flag, scope: Scope) -> Plan:
    """The scope has every segment that it names; raises KeyError for an unknown variant."""
    _check_served(flag)
    types, segments, booleans = scope
    compiled = compile_groups([rule["when"] for rule in flag["rules"]], scope)
    entries = index.worthwhile([index.entry(each, types, segments) for each in compiled])
    rules, matches = [], []
    for rule, clauses, entry in zip(flag["rules"], compiled, entries, strict=True):
        start, end = moment_ms(rule.get("from")), moment_ms(rule.get("until"))
        left = [each for each in clauses if each is not entry.proves]
        rules.append(CompiledRule(rule, clauses, start, end))
        matches.append(_matches(left, start, end))
    groups = [rule["when"] for rule in flag["rules"]]
    used = {name: segments[name] for name in named("segment", groups)}
    asks = bool(flag["requires"] or named("flag", groups)) or any(
        each.asks for each in used.values()
    )
    lookup = index.build(entries, types)
    requires = tuple(_required(each, booleans) for each in flag["requires"])
    return Plan(key, flag, requires, tuple(rules), tuple(matches), lookup, used, asks)


def _required(required: Requirement, booleans: frozenset[str]) -> Asked:
    variants = frozenset(required["variants"]) if "variants" in required else None
    return Asked(required["flag"], variants, required["flag"] in booleans)


def _matches(
    clauses: Sequence[CompiledClause], start: int | None, end: int | None
) -> Predicate | None:
    if start is None and end is None:
        return all_of(clauses) if clauses else None
    holds = all_of(clauses)

    def matches(key: str | None, traits: Mapping[str, Any], now_ms: int, ask: Ask) -> bool | None:
        if (start is not None and now_ms < start) or (end is not None and now_ms >= end):
            return False
        return holds(key, traits, now_ms, ask)

    return matches
