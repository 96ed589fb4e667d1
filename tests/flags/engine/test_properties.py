"""What holds for every document and every subject."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from typing import Any

import jsonschema
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from flags.engine import (
    Decision,
    DocumentError,
    Reason,
    Ruleset,
    Subject,
    compile,  # noqa: A004  (the word for it)
    json_schema,
    parse,
)
from flags.engine.decision import Verdict
from tests.conftest import examples
from tests.flags.engine import referee
from tests.flags.engine.documents import (
    JUNK,
    Json,
    documents,
    empty,
    flag,
    moments,
    rule,
    subject_keys,
    traits,
)

MANY = [f"account-{number}" for number in range(2_000)]
WRITTEN = 2
SCHEMA = jsonschema.Draft202012Validator(json_schema())
slow = examples(40)

unusables = st.none() | st.sets(st.sampled_from(["A", "B", "C"]))
overrides = st.none() | st.dictionaries(
    st.sampled_from(["f1", "f2", "f3"]), st.sampled_from(["a", "b", "gone"])
)


def ruleset(document: Json) -> Ruleset:
    return compile(parse(document))


def short(decision: Decision) -> tuple[object, ...]:
    return (*decision[:3], decision.rule, decision.segment)


def split(weights: dict[str, float], **parts: Any) -> Json:
    return empty(flags={"f": flag(default={"split": weights, **parts})})


def shared(start: int, end: int, salt: str = "x") -> Json:
    when = {"op": "share", "salt": salt, "from": start, "to": end}
    return empty(flags={"f": flag(rules=[rule("r", when)])})


def drawn(document: Json, **how: Any) -> dict[str, str | None]:
    compiled = ruleset(document)
    return {key: compiled.evaluate("f", Subject(key), now=0, **how).variant for key in MANY}


@slow
@given(documents(), subject_keys, traits(), moments, unusables, overrides)
def test_evaluate__any_document_and_context__is_what_the_referee_says(
    document: Json,
    key: str | None,
    values: Json,
    now: int,
    unusable: set[str] | None,
    override: dict[str, str] | None,
) -> None:
    compiled = ruleset(document)
    usable = None if unusable is None else lambda value: "no" if value in unusable else None
    asked = None if override is None else override.get
    for name in document["flags"]:
        how: Any = {"now": now, "override": asked, "usable": usable}
        decision = compiled.evaluate(name, Subject(key, values), **how)
        expected = referee.decide(document, name, key, values, now, asked, usable)
        assert short(decision) == tuple(expected)

        explained = compiled.evaluate(name, Subject(key, values), **how, trail=True)
        assert explained[:-1] == decision[:-1]
        last = explained.trail[-1]
        served = [step for step in explained.trail if step.verdict is Verdict.TAKEN]
        assert (decision.variant is None) is (not served)
        assert last.reason in {decision.reason, Reason.RULE}
        assert (last.rule, last.variant) == (decision.rule, decision.variant or last.variant)


@given(
    st.recursive(
        st.sampled_from([*JUNK, True, 1, 1.5, "flags", "a"]),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    ["schema", "flags", "segments", "traits", "rules", "when", "a", "op", "values"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=20,
    )
)
def test_parse__anything__is_a_document_or_one_error(value: Any) -> None:
    with pytest.raises(DocumentError) as caught:
        parse(value)
    json.dumps(caught.value.errors, allow_nan=False).encode()
    assert all(set(each) == {"path", "value", "message", "code"} for each in caught.value.errors)


@slow
@given(documents(), st.data())
def test_parse__a_document_with_one_part_replaced__never_raises_anything_else(
    document: Json, data: st.DataObject
) -> None:
    where: Any = document
    while True:
        steps = list(where) if isinstance(where, dict) else range(len(where))
        step = data.draw(st.sampled_from(steps))
        child = where[step]
        if not isinstance(child, dict | list) or not child or data.draw(st.integers(0, 3)) == 0:
            break
        where = child
    where[step] = data.draw(st.sampled_from([*JUNK, "x", 0, -1, True, {}, {"op": "in"}, [{}]]))
    try:
        accepted = parse(document)
    except DocumentError:
        return
    for name in accepted["flags"]:
        compile(accepted).evaluate(name, Subject("acme", {}), now=0, trail=True)


@given(st.text() | st.binary())
def test_parse__any_text__is_refused(source: str | bytes) -> None:
    with pytest.raises(DocumentError):
        parse(source)


@slow
@given(documents())
def test_parse__accepted__round_trips_and_fits_the_schema(document: Json) -> None:
    SCHEMA.validate(document)
    parsed = parse(document)
    text = json.dumps(parsed)
    assert json.dumps(parse(text)) == text
    assert parsed["schema"] == WRITTEN
    assert parsed == document or document["schema"] != WRITTEN


def test_parse__object_changed_afterwards__changes_no_document() -> None:
    source = split({"a": 1})
    document = parse(source)
    source["flags"]["f"]["variants"]["a"] = "changed"
    assert document["flags"]["f"]["variants"]["a"] == "A"


@slow
@given(documents(), subject_keys, traits(), moments)
def test_compile__again__reuses_what_did_not_change_and_answers_as_anew(
    document: Json, key: str | None, values: Json, now: int
) -> None:
    first = ruleset(document)
    changed = copy.deepcopy(document)
    changed["number"] = 8
    changed["segments"]["s1"]["include"] = ["new-account"]
    again, anew = compile(parse(changed), first), ruleset(changed)
    for name in document["flags"]:
        subject = Subject(key, values)
        decision = again.evaluate(name, subject, now=now)
        assert decision == anew.evaluate(name, subject, now=now)
        assert decision.number == 8
        assert first.evaluate(name, subject, now=now).number == 7


def test_compile__value_that_only_looks_equal__is_not_the_old_one() -> None:
    """To Python 1, 1.0 and True are equal; to a reader of JSON they are not."""
    compiled = None
    for value in (1, 1.0, True, [1], [True], {"x": 1.0}, {"x": 1}):
        served = flag(kind="json", variants={"a": value}, default={"variant": "a"})
        compiled = compile(parse(empty(flags={"f": served})), compiled)
        assert repr(compiled.evaluate("f", Subject("acme"), now=0).value) == repr(value)


class Fickle(dict[str, object]):
    """Traits that are there once."""

    def get(self, name: str, default: object = None) -> object:
        return self.pop(name, default)


def test_evaluate__traits_that_change_meanwhile__pass_the_rule_over() -> None:
    pro = [{"trait": "plan", "op": "in", "values": ["pro"]}]
    segments = {name: {"include": [], "exclude": [], "rules": [pro]} for name in ("s1", "s2")}
    rules = [rule("r", {"op": "segment", "values": ["s1", "s2"]})]
    compiled = ruleset(empty(segments=segments, flags={"f": flag(rules=rules)}))
    decision = compiled.evaluate("f", Subject("acme", Fickle(plan="pro")), now=0)
    assert (decision.reason, decision.variant) == (Reason.ABSTAINED, None)


def test_evaluate__flags_that_ask_each_other_doubly__are_each_decided_once() -> None:
    flags = {
        f"f{number}": flag(
            rules=[rule("r", {"op": "flag", "values": [f"f{number + 1}=b", f"f{number + 1}=c"]})]
        )
        for number in range(16)
    }
    asked: list[str] = []
    compiled = ruleset(empty(flags={**flags, "f16": flag()}))
    compiled.evaluate("f0", Subject("acme"), now=0, override=asked.append)
    assert sorted(asked) == sorted([*flags, "f16"])


def test_evaluate__usable_that_changes_a_json_value__changes_no_other() -> None:
    document = empty(
        flags={"f": flag(kind="json", variants={"a": {"x": 1}}, default={"variant": "a"})}
    )
    compiled = ruleset(document)

    def clear(value: Any) -> None:
        value.clear()

    for trail in (False, True):
        compiled.evaluate("f", Subject("acme"), now=0, usable=clear, trail=trail)
    assert compiled.document["flags"]["f"]["variants"] == {"a": {"x": 1}}


def test_schema__key_that_parse_refuses__is_refused() -> None:
    for wrong in (
        empty(flags={"A B": flag()}),
        empty(flags={"f": flag(variants={"A B": "x"})}),
        empty(sections={"A B": {}}),
        {**empty(), "traits": {"a-b": "str"}},
    ):
        assert not SCHEMA.is_valid(wrong)


@slow
@given(documents(), subject_keys, traits(), st.integers(-1, 4_000))
def test_next_boundary__until_then__time_changes_no_answer(
    document: Json, key: str | None, values: Json, now: int
) -> None:
    compiled, subject = ruleset(document), Subject(key, values)
    found = compiled.next_boundary(now), compiled.own_boundary(subject, now)
    boundary = min((each for each in found if each is not None), default=None)
    assert boundary is None or boundary > now
    last = 10**15 if boundary is None else boundary - 1
    for name in document["flags"]:
        before, after = (compiled.evaluate(name, subject, now=at) for at in (now, last))
        assert before == after


@given(st.sampled_from(MANY), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_share__raised__removes_nobody(key: str, start: int, end: int, more: int) -> None:
    start, end, more = sorted([start, end, more])
    before, after = ruleset(shared(start, end)), ruleset(shared(start, more))
    if before.evaluate("f", Subject(key), now=0).rule:
        assert after.evaluate("f", Subject(key), now=0).rule


@pytest.mark.parametrize(("end", "count"), [(0, 0), (10**6, len(MANY))])
def test_share__of_nothing_and_all__is_nobody_and_everybody(end: int, count: int) -> None:
    assert Counter(drawn(shared(0, end)).values())["a"] == count


def test_shares__disjoint__have_nobody_in_common_and_together_all() -> None:
    edges = [0, 100_000, 350_000, 350_000, 1_000_000]
    parts = [drawn(shared(low, high)) for low, high in pairwise(edges)]
    assert all(sum(part[key] == "a" for part in parts) == 1 for key in MANY)


weights = st.dictionaries(st.sampled_from("abc"), st.integers(1, 1_000), min_size=2)


@examples(8)
@given(weights, st.sampled_from("abc"), st.floats(0.01, 100))
def test_split__one_weight_changed__moves_accounts_only_into_what_rose(
    before: dict[str, float], changed: str, factor: float
) -> None:
    assume(changed in before)
    after = {**before, changed: before[changed] * factor}
    old, new = drawn(split(before)), drawn(split(after))
    moved = {(old[key], new[key]) for key in MANY if old[key] != new[key]}
    assert all(changed == (to if factor > 1 else left) for left, to in moved)


@examples(8)
@given(weights, st.sampled_from([2, 10, 0.5, 1000]))
def test_split__reordered_and_rescaled__moves_nobody(before: dict[str, float], by: float) -> None:
    after = {key: before[key] * by for key in reversed(before)}
    assert drawn(split(before)) == drawn(split(after))


@examples(8)
@given(weights, st.sampled_from("abc"))
def test_split__variant_removed_or_unusable__moves_only_its_accounts(
    before: dict[str, float], gone: str
) -> None:
    assume(gone in before)
    old = drawn(split(before))
    without = {key: weight for key, weight in before.items() if key != gone}
    new = drawn(split(without))
    assert all(old[key] == new[key] for key in MANY if old[key] != gone)
    refused = gone.upper()
    assert new == drawn(split(before), usable=lambda value: "no" if value == refused else None)


def chi_square(counts: list[int], expected: list[float]) -> float:
    return sum((count - each) ** 2 / each for count, each in zip(counts, expected, strict=True))


def test_split__many_accounts__falls_as_the_weights_say() -> None:
    counts = Counter(drawn(split({"a": 50, "b": 30, "c": 20})).values())
    expected = [len(MANY) * share for share in (0.5, 0.3, 0.2)]
    assert chi_square([counts[each] for each in "abc"], expected) < 13.8  # p = 0.001, 2 degrees


def test_share__twenty_parts__are_even() -> None:
    step = 50_000
    counts = [
        Counter(drawn(shared(low, low + step)).values())["a"] for low in range(0, 10**6, step)
    ]
    assert chi_square(counts, [len(MANY) / 20] * 20) < 43.8  # p = 0.001, 19 degrees


@pytest.mark.parametrize("salts", [("x", "y"), ("a", "b"), ("model", "model2")])
def test_salts__of_two_splits__are_independent(salts: tuple[str, str]) -> None:
    one, other = (drawn(split({"a": 1, "b": 1}, salt=salt)) for salt in salts)
    counts = Counter((one[key], other[key]) for key in MANY)
    cells = [counts[left, right] for left in "ab" for right in "ab"]
    assert chi_square(cells, [len(MANY) / 4] * 4) < 16.3  # p = 0.001, 3 degrees


def test_split__and_a_share_of_the_same_salt__are_independent() -> None:
    halves = drawn(split({"a": 1, "b": 1}, salt="x"))
    first = drawn(shared(0, 500_000, "x"))
    counts = Counter((halves[key], first[key]) for key in MANY)
    assert chi_square(list(counts.values()), [len(MANY) / 4] * 4) < 16.3


def test_evaluate__in_other_processes_with_other_hash_seeds__is_sticky() -> None:
    program = (
        "import json, sys; from flags.engine import *; "
        "compiled = compile(parse(sys.stdin.read())); "
        "keys = [f'account-{number}' for number in range(2000)]; "
        "found = {key: compiled.evaluate('f', Subject(key), now=0).variant for key in keys}; "
        "print(json.dumps(found))"
    )
    document = split({"a": 1, "b": 2, "c": 3})
    here = drawn(document)
    for seed in ("0", "1", "4242"):
        ran = subprocess.run(  # noqa: S603
            [sys.executable, "-c", program],
            input=json.dumps(document),
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(ran.stdout) == here


@pytest.mark.parametrize("one", ["pro", "free", None, 5])
@pytest.mark.parametrize("other", ["DE", "US", None, 5])
def test_two_texts__together__are_what_each_is(one: object, other: object) -> None:
    """Unknown where neither is false and one is unknown: then `not` of the group is too."""
    group = [
        {"trait": "plan", "op": "in", "values": ["pro"]},
        {"trait": "country", "op": "in", "values": ["DE"]},
    ]
    seen = ((one, "pro"), (other, "DE"))
    truths = [value == wanted if isinstance(value, str) else None for value, wanted in seen]
    both = False if False in truths else None if None in truths else True
    flag: dict[str, Any] = {
        "kind": "bool",
        "force": None,
        "variants": {"no": False, "yes": True},
        "off": None,
    }
    flag |= {"requires": [], "default": {"variant": "no"}}

    def answer(when: list[Any]) -> object:
        rules = [{"id": "r", "when": when, "serve": {"variant": "yes"}}]
        document: Any = {"schema": 2, "hash": "r1", "number": 1, "segments": {}, "switches": {}}
        document |= {"traits": {"plan": "str", "country": "str"}, "sections": {}}
        document |= {"flags": {"f": {**flag, "rules": rules}}}
        subject = Subject("acme", {"plan": one, "country": other})
        return compile(parse(document)).evaluate("f", subject, now=0).value

    assert answer(group) is (both is True)
    assert answer([{"op": "any", "values": [group]}]) is (both is True)
    assert answer([{"op": "any", "values": [group], "not": True}]) is (both is False)
