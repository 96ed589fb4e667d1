"""One flag's order of questions, over decisions that are built once, when first asked for.

Over 200 lines: the order of decision is one hot path, and calls between modules would cost it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from flags.engine.bucketing import draw, variant_seed
from flags.engine.clauses import Asked, CompiledClause, Members, Predicate
from flags.engine.decision import Ask, Decision, Override, Reason, Usable
from flags.engine.document import Flag, Rule, Serve
from flags.engine.index import Index, found
from flags.engine.lazy import Lazy
from flags.engine.traits import KEY

# `ask` is that of the question in which a flag asks another; None for the question's own flag.
Decide = Callable[
    [str | None, Mapping[str, Any], int, Override | None, Usable | None, Ask | None], Decision
]
# The deciders of all flags, by key; None when their ruleset is gone.
Deciders = Callable[[], Mapping[str, Decide] | None]
# What a rule or default draws for a subject; None where it has nothing for it.
Draw = Callable[[str | None, Mapping[str, Any], int, Ask, Usable | None], Decision | None]


class CompiledRule(NamedTuple):
    """`start` and `end` are its window."""

    rule: Rule
    clauses: tuple[CompiledClause, ...]
    start: int | None
    end: int | None


class Plan(NamedTuple):
    """What of a compiled flag does not depend on the document's number.

    `matches` has each rule's clauses and window; None: whatever the index finds.
    """

    key: str
    flag: Flag
    requires: tuple[Asked, ...]
    rules: tuple[CompiledRule, ...]
    matches: tuple[Predicate | None, ...]
    lookup: Index
    segments: Mapping[str, Members]
    asks: bool


def decider(
    plan: Plan, number: int | None, deciders: Deciders, usable: Usable | None = None
) -> Decide:
    """Whoever uses what this gives keeps the ruleset, whose `deciders` it asks.

    What is not `usable` for any subject is left out beforehand, and is not asked about again.
    """
    flag = plan.flag
    if flag["force"] is not None:
        decide = _always(taken(_decision(plan, number, flag["force"], Reason.FORCED), usable))
    elif not flag.get("on", True):
        decide = _always(taken(_decision(plan, number, flag["off"], Reason.OFF), usable))
    else:
        decide = _in_order(plan, number, deciders, usable)
    return _with_fresh_values(decide, flag["variants"]) if flag["kind"] == "json" else decide


def _always(decision: Decision) -> Decide:
    return lambda key, traits, now_ms, override, usable, ask: taken(decision, usable)


def on_copies(usable: Usable | None) -> Usable | None:
    """The same of a copy of a JSON value, which the caller may do with as it likes."""
    return None if usable is None else lambda value: usable(json.loads(json.dumps(value)))


def _with_fresh_values(decide: Decide, variants: Mapping[str, Any]) -> Decide:
    """What a caller does to a JSON value must not reach the next caller."""
    texts = {variant: json.dumps(value) for variant, value in variants.items()}

    def decide_fresh(  # noqa: PLR0913
        key: str | None,
        traits: Mapping[str, Any],
        now_ms: int,
        override: Override | None,
        usable: Usable | None,
        ask: Ask | None,
    ) -> Decision:
        answer = decide(key, traits, now_ms, override, on_copies(usable), ask)
        variant = answer.variant
        return answer if variant is None else answer._replace(value=json.loads(texts[variant]))

    return decide_fresh


def _in_order(  # noqa: C901  (the order is one piece, and calls cost)
    plan: Plan, number: int | None, deciders: Deciders, usable_by_any: Usable | None
) -> Decide:
    flag_key, asks, requires = plan.key, plan.asks, plan.requires
    by_key, always, tables = plan.lookup
    matches = plan.matches
    unmet = taken(_decision(plan, number, plan.flag["off"], Reason.PREREQUISITE), usable_by_any)
    variants = plan.flag["variants"]

    def overridden(variant: str) -> Decision:
        known = variant if variant in variants else None
        return taken(_decision(plan, number, known, Reason.OVERRIDE), usable_by_any)

    overrides = Lazy(overridden)
    serves = Lazy(partial(_rule_serve, plan, number, usable_by_any))
    default, no_default = _default(plan, number, usable_by_any)

    def decide(  # noqa: C901, PLR0912, PLR0913
        key: str | None,
        traits: Mapping[str, Any],
        now_ms: int,
        override: Override | None,
        usable: Usable | None,
        ask: Ask | None,
    ) -> Decision:
        if ask is None:
            ask = Asking(deciders(), key, traits, now_ms, override) if asks else _unasked
        if requires and not all(each.holds(ask(each.flag)) for each in requires):
            return taken(unmet, usable)
        if override is not None:
            variant = override(flag_key)
            if variant is not None:
                return taken(overrides[variant], usable)
        positions: Sequence[int] = by_key.get(key, always)
        if tables:
            more = found(tables, key, traits)
            if more:
                positions = sorted({*positions, *more})
        for position in positions:
            holds = matches[position]
            if holds is None or holds(key, traits, now_ms, ask):
                serve = serves[position]
                if type(serve) is Decision:
                    if usable is None or usable(serve.value) is None:
                        return serve
                elif serve is not None:
                    drawn = serve(key, traits, now_ms, ask, usable)  # type: ignore[operator]
                    if drawn is not None:
                        return drawn
        if type(default) is Decision:
            return taken(default, usable)
        return default(key, traits, now_ms, ask, usable) or no_default  # type: ignore[operator]

    return decide


class Asking:
    """Each flag is decided once a question, however many clauses and flags ask it."""

    __slots__ = ("_answers", "_deciders", "_question")

    def __init__(
        self,
        deciders: Mapping[str, Decide] | None,
        key: str | None,
        traits: Mapping[str, Any],
        now_ms: int,
        override: Override | None,
    ) -> None:
        self._deciders = deciders
        self._question = key, traits, now_ms, override, None
        self._answers: dict[str, Decision] = {}

    def __call__(self, flag: str) -> Decision:
        answer = self._answers.get(flag)
        if answer is None:
            if self._deciders is None:
                raise RulesetGone(flag)
            answer = self._answers[flag] = self._deciders[flag](*self._question, self)
        return answer


class RulesetGone(RuntimeError):
    def __init__(self, flag: str) -> None:
        super().__init__(f"Nobody keeps the ruleset that would decide {flag}.")


def _unasked(flag: str) -> Decision:
    raise AssertionError(flag)  # a plan that asks says so


def taken(decision: Decision, usable: Usable | None) -> Decision:
    """The decision, or the same without a variant where the caller cannot use it."""
    if usable is None or decision.variant is None or usable(decision.value) is None:
        return decision
    return decision._replace(value=None, variant=None)


def _decision(  # noqa: PLR0913
    plan: Plan,
    number: int | None,
    variant: str | None,
    reason: Reason,
    rule: str | None = None,
    segment: str | None = None,
) -> Decision:
    value = None if variant is None else plan.flag["variants"][variant]
    return Decision(value, variant, reason, plan.key, rule, segment, None, number)


def _default(
    plan: Plan, number: int | None, usable: Usable | None
) -> tuple[Decision | Draw, Decision]:
    """What the default serves, and what is answered where a split has nothing to draw."""
    default = plan.flag["default"]
    nothing = _decision(plan, number, None, Reason.SPLIT)
    if default is None:
        return _decision(plan, number, None, Reason.ABSTAINED), nothing
    if "variant" in default:
        decision = _decision(plan, number, default["variant"], Reason.DEFAULT)
        return taken(decision, usable), nothing
    return _serve(plan, number, default, usable) or nothing, nothing


def _rule_serve(
    plan: Plan, number: int | None, usable: Usable | None, position: int
) -> Decision | Draw | None:
    """None where nothing that it serves is usable.

    Of several segments, the first that has the account is the one that is named.
    """
    rule = plan.rules[position].rule
    named = next(
        (
            clause["values"]
            for clause in rule["when"]
            if clause["op"] == "segment" and not clause.get("not", False)
        ),
        [None],
    )
    serves = [
        (each, _serve(plan, number, rule["serve"], usable, rule["id"], each)) for each in named
    ]
    if len(serves) == 1 or serves[0][1] is None:
        return serves[0][1]
    members = [(plan.segments[each].holds, serve) for each, serve in serves if each is not None]

    def draw_by_segment(
        key: str | None, traits: Mapping[str, Any], now_ms: int, ask: Ask, usable: Usable | None
    ) -> Decision | None:
        serve = next((serve for holds, serve in members if holds(key, traits, now_ms, ask)), None)
        if serve is None:  # the traits have changed their answer meanwhile
            return None
        if not isinstance(serve, Decision):
            return serve(key, traits, now_ms, ask, usable)
        return serve if usable is None or usable(serve.value) is None else None

    return draw_by_segment


def _serve(  # noqa: PLR0913
    plan: Plan,
    number: int | None,
    serve: Serve,
    usable: Usable | None,
    rule: str | None = None,
    segment: str | None = None,
) -> Decision | Draw | None:
    """A rule's one variant, or a draw of a split; None where nothing of it is usable."""
    variants = plan.flag["variants"]
    if "variant" in serve:
        decision = _decision(plan, number, serve["variant"], Reason.RULE, rule, segment)
        return decision if usable is None or usable(decision.value) is None else None
    salt = serve.get("salt", plan.flag.get("salt", plan.key))
    by = serve.get("by", KEY)
    choices = [
        (
            variant_seed(salt, variant),
            weight,
            _decision(plan, number, variant, Reason.SPLIT, rule, segment),
        )
        for variant, weight in sorted(serve["split"].items())
        if usable is None or usable(variants[variant]) is None
    ]
    return _split(choices, by) if choices else None


def _split(choices: Sequence[tuple[int, float, Decision]], by: str) -> Draw:
    def draw_split(
        key: str | None, traits: Mapping[str, Any], now_ms: int, ask: Ask, usable: Usable | None
    ) -> Decision | None:
        bucketed = key if by == KEY else traits.get(by)
        if not isinstance(bucketed, str):
            return None
        if usable is None:
            return draw(bucketed, choices)
        left = [choice for choice in choices if usable(choice[2].value) is None]
        return draw(bucketed, left) if left else None

    return draw_split
