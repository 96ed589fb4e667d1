"""Our engine, asked a workload."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from flags.engine import Document, Subject, compile, parse  # noqa: A004  (the engine's word)
from tests.benchmarks.measure import Contender
from tests.benchmarks.workload import FLAG, MODELS, SPLIT, Rule, Workload

NOW: Final = 1_800_000_000_000
# A list of the document holds no more.
MAX_KEYS: Final = 10_000
TRAITS: Final = {"plan": "str", "country": "str", "tier": "str", "email": "str", "seats": "num"}


def ours(workload: Workload) -> Contender:
    return _contender(document(workload), workload)


def ours_with_trail(workload: Workload) -> Contender:
    evaluate = compile(document(workload)).evaluate
    return Contender(
        lambda subjects: [evaluate(FLAG, each, now=NOW, trail=True).value for each in subjects],
        _subjects(workload),
    )


def ours_scanning(clauses: Sequence[Mapping[str, Any]], subject: Subject) -> Contender:
    """A flag with a rule for each clause, asked about one subject."""
    rules = [_rule(f"r{number}", [each], "next") for number, each in enumerate(clauses)]
    evaluate = compile(parse(_document({FLAG: _flag(rules)}))).evaluate
    return Contender(
        lambda subjects: [evaluate(FLAG, each, now=NOW).value for each in subjects],
        [subject] * 1_000,
    )


def document(workload: Workload) -> Document:
    rules = [
        each for number, rule in enumerate(workload.rules) for each in _rules(f"r{number}", rule)
    ]
    segments = {
        rule.segment: {"include": [], "exclude": [], "rules": [_clauses(rule.traits)]}
        for rule in workload.rules
        if rule.segment is not None
    }
    return parse(_document(dict.fromkeys(workload.flag_keys, _flag(rules)), segments))


def many_rules(flags: int, rules: int, serve: str = "next") -> dict[str, Any]:
    """Flags with rules on plan and tier; the very last rule serves `serve`."""
    made = {
        f"{FLAG}-{flag}": _flag(
            [
                _rule(f"r{number}", _clauses({"plan": ["pro"], "tier": [f"{number}"]}), "next")
                for number in range(rules)
            ]
        )
        for flag in range(flags)
    }
    made[f"{FLAG}-{flags - 1}"]["rules"][-1]["serve"] = {"variant": serve}
    return _document(made)


def _contender(parsed: Document, workload: Workload) -> Contender:
    evaluate = compile(parsed).evaluate
    return Contender(
        lambda subjects: [evaluate(FLAG, each, now=NOW).value for each in subjects],
        _subjects(workload),
    )


def _subjects(workload: Workload) -> list[Subject]:
    return [Subject(account.key, account.traits) for account in workload.accounts]


def _document(
    flags: Mapping[str, Any], segments: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    return {
        "schema": 1,
        "hash": "r1",
        "number": 1,
        "traits": TRAITS,
        "segments": segments or {},
        "flags": flags,
        "switches": {},
        "sections": {},
    }


def _flag(rules: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "kind": "str",
        "force": None,
        "salt": FLAG,
        "variants": {model: model for model in MODELS},
        "off": None,
        "requires": [],
        "rules": list(rules),
        "default": {"split": SPLIT},
    }


def _rules(name: str, rule: Rule) -> Iterator[dict[str, Any]]:
    if rule.segment is not None:
        yield _rule(name, [{"op": "segment", "values": [rule.segment]}], rule.model)
    elif not rule.keys:
        yield _rule(name, _clauses(rule.traits), rule.model)
    for start in range(0, len(rule.keys), MAX_KEYS):
        keys = rule.keys[start : start + MAX_KEYS]
        yield _rule(f"{name}.{start}", _clauses({"key": keys}), rule.model)


def _rule(name: str, when: Sequence[Mapping[str, Any]], model: str) -> dict[str, Any]:
    return {"id": name, "when": list(when), "serve": {"variant": model}}


def _clauses(traits: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    return [
        {"trait": trait, "op": "in", "values": list(values)} for trait, values in traits.items()
    ]
