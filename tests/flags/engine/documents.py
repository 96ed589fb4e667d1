"""Documents and subjects that Hypothesis draws, and a document to start a test from."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]

TRAITS = {
    "plan": "str", "seats": "num", "vip": "bool", "born": "time",
    "app": "ver", "ip": "ip", "tags": "[str]", "sizes": "[num]",
}  # fmt: skip
TEXTS = ["", "pro", "free", "PRO", "straße", "STRASSE", "de-1", "de-2"]
VALUES: dict[str, list[Any]] = {
    "str": TEXTS,
    "num": [0, 1, 1.0, -3, 2.5, 2**53 - 1],
    "bool": [True, False],
    "time": [0, 1_000, "1970-01-01T00:00:01Z", "1970-01-01T01:00:02+01:00"],
    "ver": ["1", "1.0", "1.2.3", "1.2.3-rc.1", "1.2.3-rc.2+build", "2.0.0"],
    "ip": ["10.0.0.1", "10.1.0.1", "::1", "2001:db8::1"],
}
NETWORKS = ["10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32", "::1/128"]
DURATIONS = ["1s", "2s", "1m"]
GLOBS = ["*", "de-*", "*o", "p*o", "**", "pro", "*r*s*"]
KEYS = ["acme", "bolt", "cobalt", "dune", "house"]
MOMENTS = [0, 500, 1_000, "1970-01-01T00:00:02Z", 3_000]
TEXT_OPS = ["prefix", "suffix", "contains", "glob"]
# What contexts hold: right values, and all that a host may hand over by mistake.
JUNK: list[Any] = [
    None, float("nan"), float("inf"), -(10**400), 10**4000, "\ud800", "a\0b", [], ["pro", 1],
    ["pro", "\udfff"], [[["deep"]]], {"a": 1}, {1, 2}, b"pro", object(), (1, 2), 1 + 2j,
    datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), datetime(1970, 1, 1),  # noqa: DTZ001
    datetime.min.replace(tzinfo=UTC),
]  # fmt: skip


def empty(**parts: Any) -> Json:
    return {
        "schema": 2, "hash": "r1", "number": 7, "traits": dict(TRAITS), "segments": {},
        "flags": {}, "switches": {}, "sections": {}, **copy.deepcopy(parts),
    }  # fmt: skip


def flag(**parts: Any) -> Json:
    return {
        "kind": "str", "force": None, "variants": {"a": "A", "b": "B", "c": "C"}, "off": None,
        "requires": [], "rules": [], "default": None, **copy.deepcopy(parts),
    }  # fmt: skip


def rule(rule_id: str, *when: Json, **parts: Any) -> Json:
    return {"id": rule_id, "when": list(when), "serve": {"variant": "a"}, **parts}


@st.composite
def compare_clauses(draw: st.DrawFn) -> Json:
    trait = draw(st.sampled_from([*TRAITS, "key"]))
    kind = {**TRAITS, "key": "str"}[trait]
    element = kind.strip("[]")
    ops = ["in"]
    if element == "str":
        ops += TEXT_OPS
    if kind in {"num", "time", "ver"}:
        ops += ["lt", "le", "gt", "ge"]
    if kind == "time":
        ops += ["within", "within"]
    if kind == "ip":
        ops += ["cidr"]
    op = draw(st.sampled_from(ops))
    pool = {"glob": GLOBS, "cidr": NETWORKS, "within": DURATIONS}.get(
        op, KEYS if trait == "key" else VALUES[element]
    )
    if op in {"prefix", "suffix", "contains"}:
        pool = [each for each in pool if each]
    most = 1 if op in {"lt", "le", "gt", "ge", "within"} else 3
    clause: Json = {
        "trait": trait,
        "op": op,
        "values": draw(st.lists(st.sampled_from(pool), min_size=1, max_size=most)),
    }
    if draw(st.booleans()):
        clause["absent"] = draw(st.sampled_from([True, False, None]))
    if element == "str" and draw(st.booleans()):
        clause["fold"] = True
    return clause


@st.composite
def shares(draw: st.DrawFn) -> Json:
    ppm = st.sampled_from([0, 1, 250_000, 500_000, 999_999, 1_000_000])
    low, high = sorted([draw(ppm), draw(ppm)])
    clause: Json = {"op": "share", "salt": draw(st.sampled_from("xy")), "from": low, "to": high}
    if draw(st.booleans()):
        clause["by"] = draw(st.sampled_from(["key", "plan"]))
    if draw(st.booleans()):
        clause["ramp"] = [[500, 0], [1_000, high // 2], ["1970-01-01T00:00:02Z", high]]
    return clause


def clauses(segments: list[str], flags: list[str]) -> st.SearchStrategy[Json]:
    """Clauses that may name these segments and flags."""
    base = compare_clauses() | shares()
    base |= st.sampled_from([*TRAITS, "key"]).map(lambda trait: {"trait": trait, "op": "exists"})
    for op, names in (("segment", segments), ("flag", flags)):
        if names:
            values = st.lists(st.sampled_from(names), min_size=1, max_size=2)
            base |= values.map(lambda each, op=op: {"op": op, "values": each})  # type: ignore[misc]
    nested = st.recursive(
        base,
        lambda inner: st.lists(st.lists(inner, min_size=1, max_size=2), min_size=1, max_size=2).map(
            lambda groups: {"op": "any", "values": groups}
        ),
        max_leaves=3,
    )
    return st.tuples(nested, st.sampled_from([None, False, True])).map(
        lambda pair: pair[0] if pair[1] is None else {**pair[0], "not": pair[1]}
    )


@st.composite
def serves(draw: st.DrawFn) -> Json:
    if draw(st.booleans()):
        return {"variant": draw(st.sampled_from("abc"))}
    weights = st.dictionaries(
        st.sampled_from("abc"), st.sampled_from([1, 2.5, 90]), min_size=1, max_size=3
    )
    serve: Json = {"split": draw(weights)}
    if draw(st.booleans()):
        serve["salt"] = "z"
    if draw(st.booleans()):
        serve["by"] = draw(st.sampled_from(["key", "plan"]))
    return serve


@st.composite
def rules(draw: st.DrawFn, rule_id: str, each: st.SearchStrategy[Json]) -> Json:
    made: Json = {"id": rule_id, "when": draw(st.lists(each, min_size=1, max_size=3))}
    if draw(st.integers(0, 3)) == 0:
        start, end = sorted(draw(st.tuples(st.integers(0, 2_000), st.integers(2_001, 4_000))))
        made |= {"from": start, "until": end}
    return {**made, "serve": draw(serves())}


@st.composite
def documents(draw: st.DrawFn) -> Json:
    """Three flags and two segments; each may name those before it."""
    document = empty(schema=draw(st.sampled_from([1, 2, 2])))
    for key in ("s1", "s2"):
        each = clauses(list(document["segments"]), [])
        included = draw(st.sets(st.sampled_from(KEYS), max_size=2))
        excluded = draw(st.sets(st.sampled_from(KEYS), max_size=2)) - included
        document["segments"][key] = {
            "include": sorted(included),
            "exclude": sorted(excluded),
            "rules": draw(st.lists(st.lists(each, min_size=1, max_size=2), max_size=2)),
        }
    for key in ("f1", "f2", "f3"):
        before = list(document["flags"])
        asked = [*before, *(f"{name}=a" for name in before)]
        each = clauses(list(document["segments"]), asked)
        count = draw(st.integers(0, 4))
        values: Json = {"a": "A", "b": "B", "c": "C"}
        is_boolean = draw(st.integers(0, 2)) == 0
        document["flags"][key] = flag(
            kind="bool" if is_boolean else "str",
            variants={"a": True, "b": False, "c": True} if is_boolean else values,
            on=draw(st.sampled_from([True, True, True, False])),
            force=draw(st.sampled_from([None, None, None, None, "b"])),
            off=draw(st.sampled_from([None, "c"])),
            requires=[
                {"flag": name, **draw(st.sampled_from([{}, {"variants": ["a", "b"]}]))}
                for name in before
                if draw(st.integers(0, 4)) == 0
            ],
            rules=[draw(rules(f"r{number}", each)) for number in range(count)],
            default=draw(st.none() | serves()),
        )
    return document


@st.composite
def traits(draw: st.DrawFn) -> Json:
    """A subject's traits: mostly of their type, some missing, some junk."""
    found: Json = {}
    for name, kind in TRAITS.items():
        good = st.sampled_from(VALUES[kind.strip("[]")])
        right = st.lists(good, max_size=3) if kind.startswith("[") else good
        choice = draw(st.integers(0, 9))
        if choice < 7:
            found[name] = draw(right)
        elif choice < 9:
            found[name] = draw(st.sampled_from(JUNK))
    return found


subject_keys = st.sampled_from([*KEYS, "", "\ud800", "zürich", None])
moments = st.sampled_from([-1, 0, 499, 500, 750, 999, 1_000, 1_500, 2_000, 2_500, 4_000, 10**15])
