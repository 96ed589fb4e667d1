"""Clauses -> predicates, in three-valued logic: True, False, or None where it cannot be known.

Over 200 lines: every operator of the rule language stands here, each once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from flags.engine.bucketing import bucket, ramped, seed_of
from flags.engine.decision import Ask, Decision
from flags.engine.document import Clause, CompareClause, ExistsClause, Segment, ShareClause, named
from flags.engine.times import duration_ms, moment_ms
from flags.engine.traits import ELEMENTS, KEY, LISTS, PARSERS, Type, network

# Of the account's key, its traits, the moment in epoch milliseconds, and other flags.
Predicate = Callable[[str | None, Mapping[str, Any], int, Ask], bool | None]
# Of a parsed value.
Test = Callable[[Any], bool]


class Operator(NamedTuple):
    """Which types an operator is for, and what a test with its values is."""

    types: frozenset[Type]
    test: Callable[[Sequence[Any]], Test]
    takes_one: bool = False
    may_fold: bool = False
    own_parser: Callable[[object], Any] | None = None

    def parser(self, kind: Type) -> Callable[[object], Any]:
        """What a clause's value must be: None for one that it is not."""
        return self.own_parser or PARSERS[ELEMENTS[kind]]


def _is_in(values: Sequence[Any]) -> Test:
    return frozenset(values).__contains__


def _prefix(values: Sequence[str]) -> Test:
    prefixes = tuple(values)
    return lambda value: value.startswith(prefixes)


def _suffix(values: Sequence[str]) -> Test:
    suffixes = tuple(values)
    return lambda value: value.endswith(suffixes)


def _contains(values: Sequence[str]) -> Test:
    if len(values) == 1:
        one = values[0]
        return lambda value: one in value
    return lambda value: any(part in value for part in values)


def _glob(values: Sequence[str]) -> Test:
    patterns = [pattern.split("*") for pattern in values]
    return lambda value: any(_fits(value, parts) for parts in patterns)


def _fits(value: str, parts: Sequence[str]) -> bool:
    """Whether the parts follow one another with anything between; one pass over the value."""
    first, last = parts[0], parts[-1]
    if len(parts) == 1:
        return value == first
    end = len(value) - len(last)
    at = len(first)
    if at > end or not (value.startswith(first) and value.endswith(last)):
        return False
    for part in parts[1:-1]:
        found = value.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _cidr(values: Sequence[Any]) -> Test:
    return lambda value: any(value in network for network in values)


_ORDERED: Final = frozenset({Type.NUM, Type.VER, Type.TIME})
_TEXT: Final = frozenset({Type.STR, Type.STRS})

OPERATORS: Final = {
    "in": Operator(frozenset(Type), _is_in, may_fold=True),
    "lt": Operator(_ORDERED, lambda values: lambda value: value < values[0], takes_one=True),
    "le": Operator(_ORDERED, lambda values: lambda value: value <= values[0], takes_one=True),
    "gt": Operator(_ORDERED, lambda values: lambda value: value > values[0], takes_one=True),
    "ge": Operator(_ORDERED, lambda values: lambda value: value >= values[0], takes_one=True),
    "prefix": Operator(_TEXT, _prefix, may_fold=True),
    "suffix": Operator(_TEXT, _suffix, may_fold=True),
    "contains": Operator(_TEXT, _contains, may_fold=True),
    "glob": Operator(_TEXT, _glob, may_fold=True),
    "cidr": Operator(frozenset({Type.IP}), _cidr, own_parser=network),
    # Of how long ago it is, in milliseconds.
    "within": Operator(
        frozenset({Type.TIME}),
        lambda values: lambda ago_ms: 0 <= ago_ms < values[0],
        takes_one=True,
        own_parser=duration_ms,
    ),
}


def may_fold(op: str, kind: Type) -> bool:
    """Whether the operator may ignore case for traits of the type."""
    return OPERATORS[op].may_fold and kind in _TEXT


class CompiledClause(NamedTuple):
    """A compiled clause; `groups` are those of an `any`.

    `on_text` is the trait and the test of one that is no more: a text that is there, not negated.
    """

    clause: Clause
    holds: Predicate
    groups: tuple[tuple[CompiledClause, ...], ...] = ()
    on_text: tuple[str, Test] | None = None


class Members(NamedTuple):
    """A compiled segment; `listed` has True for an included key, False for an excluded one."""

    listed: Mapping[str | None, bool]
    groups: tuple[tuple[CompiledClause, ...], ...]
    holds: Predicate
    asks: bool


class Scope(NamedTuple):
    """What clauses may name: the traits' types, compiled segments, and which flags are boolean."""

    types: Mapping[str, Type]
    segments: Mapping[str, Members]
    booleans: frozenset[str]


def compile_clause(clause: Clause, scope: Scope) -> CompiledClause:  # noqa: PLR0911 - one each
    """The scope has every segment that the clause names."""
    if clause["op"] == "any":
        groups = compile_groups(clause["values"], scope)
        return CompiledClause(clause, _negated(clause, any_of(groups)), groups)
    if clause["op"] == "segment":
        members = [scope.segments[key].holds for key in clause["values"]]
        return CompiledClause(clause, _negated(clause, _any_holds(members)))
    if clause["op"] == "flag":
        asked = [_asked(value, scope.booleans) for value in clause["values"]]
        return CompiledClause(clause, _negated(clause, _any_holds(asked)))
    if clause["op"] == "share":
        return CompiledClause(clause, _share(clause))
    kind = scope.types[clause["trait"]]
    if clause["op"] == "exists":
        return CompiledClause(clause, _exists(clause, kind))
    if clause["op"] == "within":
        return CompiledClause(clause, _within(clause))
    if kind in LISTS:
        return CompiledClause(clause, _in_list(clause, kind))
    return _in_value(clause, kind)


def compile_segment(segment: Segment, scope: Scope) -> Members:
    """Excluded, else included, else any of its groups."""
    listed: dict[str | None, bool] = {
        **dict.fromkeys(segment["include"], True),
        **dict.fromkeys(segment["exclude"], False),
    }
    groups = compile_groups(segment["rules"], scope)
    matches = any_of(groups)

    def holds(key: str | None, traits: Mapping[str, Any], now_ms: int, ask: Ask) -> bool | None:
        verdict = listed.get(key)
        return matches(key, traits, now_ms, ask) if verdict is None else verdict

    nested = [scope.segments[key] for key in named("segment", segment["rules"])]
    asks = bool(named("flag", segment["rules"])) or any(each.asks for each in nested)
    return Members(listed, groups, holds if listed else matches, asks)


def compile_groups(
    groups: Sequence[Sequence[Clause]], scope: Scope
) -> tuple[tuple[CompiledClause, ...], ...]:
    """Groups of clauses, ready to ask."""
    return tuple(tuple(compile_clause(clause, scope) for clause in group) for group in groups)


def all_of(clauses: Sequence[CompiledClause]) -> Predicate:
    """False if any is false, else unknown if any is unknown."""
    predicates = tuple(each.holds for each in clauses)
    if len(predicates) == 1:
        return predicates[0]
    if len(predicates) == 2:  # noqa: PLR2004  (most often; a loop costs half as much again)
        texts = [each.on_text for each in clauses if each.on_text]
        return _both_texts(*texts) if len(texts) == len(predicates) else _both(*predicates)

    def holds(key: str | None, traits: Mapping[str, Any], now_ms: int, ask: Ask) -> bool | None:
        result: bool | None = True
        for predicate in predicates:
            answer = predicate(key, traits, now_ms, ask)
            if answer is False:
                return False
            if answer is None:
                result = None
        return result

    return holds


def _both(one: Predicate, other: Predicate) -> Predicate:
    def holds(key: str | None, traits: Mapping[str, Any], now_ms: int, ask: Ask) -> bool | None:
        first = one(key, traits, now_ms, ask)
        if first is False:
            return False
        second = other(key, traits, now_ms, ask)
        return None if first is None and second is not False else second

    return holds


def _both_texts(one: tuple[str, Test], other: tuple[str, Test]) -> Predicate:
    """The same in one call instead of three."""
    (trait, test), (other_trait, other_test) = one, other

    def holds(key: str | None, traits: Mapping[str, Any], now_ms: int, ask: Ask) -> bool | None:
        value = traits.get(trait)
        is_text = isinstance(value, str)
        if is_text and not test(value):
            return False
        value = traits.get(other_trait)
        if isinstance(value, str):
            return False if not other_test(value) else True if is_text else None
        return None

    return holds


def any_of(groups: Sequence[Sequence[CompiledClause]]) -> Predicate:
    """True if any group is true, else unknown if any is unknown."""
    return _any_holds([all_of(group) for group in groups])


def _any_holds(predicates: Sequence[Predicate]) -> Predicate:
    if len(predicates) == 1:
        return predicates[0]
    each = tuple(predicates)

    def holds(key: str | None, traits: Mapping[str, Any], now_ms: int, ask: Ask) -> bool | None:
        result: bool | None = False
        for predicate in each:
            answer = predicate(key, traits, now_ms, ask)
            if answer:
                return True
            if answer is None:
                result = None
        return result

    return holds


def _negated(clause: Clause, holds: Predicate) -> Predicate:
    if not clause.get("not", False):
        return holds

    def negated(key: str | None, traits: Mapping[str, Any], now_ms: int, ask: Ask) -> bool | None:
        answer = holds(key, traits, now_ms, ask)
        return None if answer is None else not answer

    return negated


def _in_value(clause: CompareClause, kind: Type) -> CompiledClause:
    trait, missing, is_negated = clause["trait"], clause.get("absent"), clause.get("not", False)
    parse, test = parser_and_test(clause, kind)
    is_key = trait == KEY

    def holds(key: str | None, traits: Mapping[str, Any], now_ms: int, ask: Ask) -> bool | None:
        value = key if is_key else traits.get(trait)
        if value is None:
            return missing
        parsed = parse(value)
        return None if parsed is None else test(parsed) is not is_negated

    def holds_for_text(
        key: str | None, traits: Mapping[str, Any], now_ms: int, ask: Ask
    ) -> bool | None:
        value = key if is_key else traits.get(trait)
        if isinstance(value, str):
            return test(value) is not is_negated
        return missing if value is None else None

    if kind is not Type.STR:
        return CompiledClause(clause, holds)
    is_plain = not is_key and missing is None and not is_negated
    return CompiledClause(clause, holds_for_text, on_text=(trait, test) if is_plain else None)


def _in_list(clause: CompareClause, kind: Type) -> Predicate:
    """Any element; a list with one of another type is of another type as a whole."""
    trait, missing, is_negated = clause["trait"], clause.get("absent"), clause.get("not", False)
    parse, test = parser_and_test(clause, kind)

    def holds(key: str | None, traits: Mapping[str, Any], now_ms: int, ask: Ask) -> bool | None:
        value = traits.get(trait)
        if value is None:
            return missing
        if not isinstance(value, list | tuple):
            return None
        parsed = [parse(element) for element in value]
        return None if None in parsed else any(map(test, parsed)) is not is_negated

    return holds


def parser_and_test(clause: CompareClause, kind: Type) -> tuple[Callable[[object], Any], Test]:
    """What makes a trait's value comparable, and whether the clause holds for it, `not` apart."""
    compared = OPERATORS[clause["op"]]
    values = [compared.parser(kind)(value) for value in clause["values"]]
    parse = PARSERS[ELEMENTS[kind]]
    if not clause.get("fold", False):
        return parse, compared.test(values)
    folded = compared.test([value.casefold() for value in values])
    return parse, lambda value: folded(value.casefold())


def _exists(clause: ExistsClause, kind: Type) -> Predicate:
    trait, is_negated = clause["trait"], clause.get("not", False)
    parse = PARSERS[ELEMENTS[kind]]

    def holds(key: str | None, traits: Mapping[str, Any], now_ms: int, ask: Ask) -> bool | None:
        value = key if trait == KEY else traits.get(trait)
        if value is None:
            return is_negated
        if kind in LISTS:
            is_typed = isinstance(value, list | tuple) and None not in map(parse, value)
        else:
            is_typed = parse(value) is not None
        return not is_negated if is_typed else None

    return holds


class Asked(NamedTuple):
    """Which answer of another flag is asked for: one of these variants, or any."""

    flag: str
    variants: frozenset[str] | None
    is_boolean: bool

    def holds(self, answer: Decision) -> bool:
        """Whether it was decided so; a boolean flag without variants, whether it is true."""
        if self.variants is not None:
            return answer.is_decided and answer.variant in self.variants
        return answer.value is True if self.is_boolean else answer.is_decided


def _asked(value: str, booleans: frozenset[str]) -> Predicate:
    flag, _, variant = value.partition("=")
    asked = Asked(flag, frozenset({variant}) if variant else None, flag in booleans)

    def holds(key: str | None, traits: Mapping[str, Any], now_ms: int, ask: Ask) -> bool:
        return asked.holds(ask(flag))

    return holds


def _within(clause: CompareClause) -> Predicate:
    trait, missing, is_negated = clause["trait"], clause.get("absent"), clause.get("not", False)
    parse, test = parser_and_test(clause, Type.TIME)

    def holds(key: str | None, traits: Mapping[str, Any], now_ms: int, ask: Ask) -> bool | None:
        value = traits.get(trait)
        if value is None:
            return missing
        at_ms = parse(value)
        return None if at_ms is None else test(now_ms - at_ms) is not is_negated

    return holds


def share_range(clause: ShareClause, now_ms: int) -> tuple[int, int]:
    """The share's buckets at this moment, in ppm: from the first up to, not with, the second."""
    ramp = clause.get("ramp")
    return clause.get("from", 0), ramped(ramp_points(ramp), now_ms) if ramp else clause["to"]


def ramp_points(ramp: Sequence[Sequence[Any]]) -> list[tuple[int, int]]:
    """A ramp as (epoch milliseconds, parts of a million)."""
    return [(moment_ms(at) or 0, ppm) for at, ppm in ramp]


def _share(clause: ShareClause) -> Predicate:
    by, seed, is_negated = clause.get("by", KEY), seed_of(clause["salt"]), clause.get("not", False)
    start, end = clause.get("from", 0), clause["to"]
    points = ramp_points(clause["ramp"]) if "ramp" in clause else None

    def holds(key: str | None, traits: Mapping[str, Any], now_ms: int, ask: Ask) -> bool | None:
        value = key if by == KEY else traits.get(by)
        if not isinstance(value, str):
            return None
        upper = end if points is None else ramped(points, now_ms)
        return (start <= bucket(seed, value) < upper) is not is_negated

    return holds
