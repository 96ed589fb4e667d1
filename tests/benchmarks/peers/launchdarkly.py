"""LaunchDarkly: individual targets, rules, a segment, a rollout; the store is filled beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from tests.benchmarks.measure import Contender
from tests.benchmarks.workload import FLAG, MODELS, SPLIT, Rule, Workload


def launchdarkly(workload: Workload) -> Contender:
    sdk = import_module("ldclient")
    kinds = import_module("ldclient.versioned_data_kind")
    store = import_module("ldclient.feature_store").InMemoryFeatureStore()
    flags = {key: _flag(key, workload.rules) for key in workload.flag_keys}
    segments = {
        rule.segment: _segment(rule.segment, rule.traits)
        for rule in workload.rules
        if rule.segment is not None
    }
    store.init({kinds.FEATURES: flags, kinds.SEGMENTS: segments})
    config = sdk.Config("benchmark", feature_store=store, use_ldd=True, send_events=False)
    variation_detail = sdk.LDClient(config).variation_detail
    subjects = []
    for account in workload.accounts:
        builder = sdk.Context.builder(account.key)
        for trait, value in account.traits.items():
            builder.set(trait, value)
        subjects.append(builder.build())
    return Contender(
        lambda subjects: [variation_detail(FLAG, each, None).value for each in subjects],
        subjects,
    )


def _flag(key: str, rules: Sequence[Rule]) -> dict[str, Any]:
    rollout = [
        {"variation": MODELS.index(model), "weight": percent * 1_000}
        for model, percent in SPLIT.items()
    ]
    return {
        "key": key,
        "version": 1,
        "on": True,
        "salt": FLAG,
        "variations": list(MODELS),
        "prerequisites": [],
        "targets": [
            {"variation": MODELS.index(rule.model), "values": list(rule.keys)}
            for rule in rules
            if rule.keys
        ],
        "rules": [
            {
                "id": f"r{number}",
                "variation": MODELS.index(rule.model),
                "clauses": _rule_clauses(rule),
            }
            for number, rule in enumerate(rules)
            if not rule.keys
        ],
        "fallthrough": {"rollout": {"variations": rollout}},
        "offVariation": None,
    }


def _segment(key: str, traits: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    rules = [{"clauses": _clauses(traits)}]
    return {
        "key": key,
        "version": 1,
        "salt": key,
        "included": [],
        "excluded": [],
        "rules": rules,
    }


def _rule_clauses(rule: Rule) -> list[dict[str, Any]]:
    if rule.segment is not None:
        return [{"attribute": "", "op": "segmentMatch", "values": [rule.segment]}]
    return _clauses(rule.traits)


def _clauses(traits: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    return [
        {"attribute": trait, "op": "in", "values": list(values)} for trait, values in traits.items()
    ]
