"""Document -> Ruleset: immutable and indexed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flags.engine import index
from flags.engine.boundaries import boundaries
from flags.engine.checks import trait_types
from flags.engine.clauses import (
    CompiledClause,
    Members,
    Predicate,
    all_of,
    compile_clause,
    compile_segment,
)
from flags.engine.decider import CompiledRule, Decide, Plan, asking, decider, on_copies
from flags.engine.decision import Ask, Decision, ErrorCode, Override, Reason, Subject, Usable
from flags.engine.document import Document, Flag, named
from flags.engine.lazy import Lazy
from flags.engine.times import milliseconds, moment_ms
from flags.engine.trail import Question, explain
from flags.engine.traits import Type


class Ruleset:
    """A compiled document. Threads may share it."""

    __slots__ = ("_deciders", "_plans", "_segments", "document", "number")

    def __init__(
        self, document: Document, plans: Mapping[str, Plan], segments: Mapping[str, Members]
    ) -> None:
        self.document = document
        self.number = document["number"]
        self._plans = plans
        self._segments = segments
        self._deciders: Lazy[str, Decide] = Lazy(self._decider)

    def _decider(self, flag: str) -> Decide:
        return decider(self._plans[flag], self.number, self._deciders)

    def evaluate(  # noqa: PLR0913  (keywords, each by itself)
        self,
        flag: str,
        subject: Subject,
        *,
        now: int | datetime,
        override: Override | None = None,
        usable: Usable | None = None,
        trail: bool = False,
    ) -> Decision:
        """The flag's answer for the subject; `now` is epoch milliseconds or an aware datetime.

        A key that is not text is no key. Raises TypeError for a `now` that is neither.
        """
        if flag not in self._plans:
            code = ErrorCode.FLAG_NOT_FOUND
            return Decision(None, None, Reason.ERROR, flag, None, None, code, self.number)
        key, traits = subject
        if type(key) is not str and not isinstance(key, str):
            key = None
        now_ms = now if type(now) is int else milliseconds(now)
        decision = self._deciders[flag](key, traits, now_ms, override, usable, None)
        if not trail:
            return decision
        question = Question(
            key,
            traits,
            now_ms,
            asking(self._deciders, key, traits, now_ms, override),
            on_copies(usable) if self._plans[flag].flag["kind"] == "json" else usable,
            self._segments,
        )
        *steps, last = explain(self._plans[flag], question, override)
        last = last._replace(variant=last.variant or decision.variant)
        return decision._replace(trail=(*steps, last))

    def decider(self, flag: str, usable: Usable | None = None) -> Decide:
        """What `evaluate` asks, for callers who ask often; raises KeyError for an unknown flag.

        `usable` is asked once of each value that comes up: what it refuses is left out for every
        subject.
        """
        return decider(self._plans[flag], self.number, self._deciders, usable)

    def next_boundary(self, now: int | datetime) -> int | None:
        """The first moment after `now`, in epoch milliseconds, at which time may change an answer.

        Reads the whole document.
        """
        now_ms = now if type(now) is int else milliseconds(now)
        later = (moment for moment in boundaries(self.document, now_ms) if moment > now_ms)
        return min(later, default=None)


def compile(document: Document, previous: Ruleset | None = None) -> Ruleset:  # noqa: A001  (the word for it)
    """The document, ready to evaluate; what did not change since `previous` is taken from there."""
    if previous is not None and previous.document["traits"] != document["traits"]:
        previous = None
    types = trait_types(document)
    segments: dict[str, Members] = {}
    for key in document["segments"]:
        _add_segment(key, document, types, segments, previous)
    plans = {
        key: _kept_plan(key, flag, segments, previous) or _plan(key, flag, types, segments)
        for key, flag in document["flags"].items()
    }
    return Ruleset(document, plans, segments)


def _add_segment(
    key: str,
    document: Document,
    types: Mapping[str, Type],
    segments: dict[str, Members],
    previous: Ruleset | None,
) -> None:
    """The segment, after those that it names."""
    if key in segments:
        return
    segment = document["segments"][key]
    nested = named("segment", segment["rules"])
    for other in nested:
        _add_segment(other, document, types, segments, previous)
    if previous is not None and previous.document["segments"].get(key) == segment:
        kept = previous._segments
        if all(segments[other] is kept.get(other) for other in nested):
            segments[key] = kept[key]
            return
    segments[key] = compile_segment(segment, types, segments)


def _is_same(one: Flag, other: Flag) -> bool:
    return one == other and repr(one["variants"]) == repr(other["variants"])  # 1 == 1.0 == True


def _kept_plan(
    key: str, flag: Flag, segments: Mapping[str, Members], previous: Ruleset | None
) -> Plan | None:
    plan = None if previous is None else previous._plans.get(key)
    if plan is None or (plan.flag is not flag and not _is_same(plan.flag, flag)):
        return None
    is_same = all(segments[other] is members for other, members in plan.segments.items())
    return plan if is_same else None


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


def _plan(key: str, flag: Flag, types: Mapping[str, Type], segments: Mapping[str, Members]) -> Plan:
    _check_served(flag)
    compiled = [
        tuple(compile_clause(clause, types, segments) for clause in rule["when"])
        for rule in flag["rules"]
    ]
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
    return Plan(key, flag, tuple(rules), tuple(matches), lookup, used, asks)


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
