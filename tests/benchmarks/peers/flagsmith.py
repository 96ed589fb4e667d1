"""Flagsmith's engine: each rule a segment that overrides the flag; it answers all flags at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from tests.benchmarks.measure import Contender
from tests.benchmarks.workload import FLAG, SPLIT, Rule, Workload


def flagsmith(workload: Workload) -> Contender:
    return _flagsmith(workload, is_csv=True)


def flagsmith_lists(workload: Workload) -> Contender:
    return _flagsmith(workload, is_csv=False)


def _flagsmith(workload: Workload, *, is_csv: bool) -> Contender:
    evaluate = import_module("flag_engine.engine").get_evaluation_result
    environment = {
        "environment": {"key": "benchmark", "name": "benchmark"},
        "features": {key: {**_feature(key, "mini"), **_split()} for key in workload.flag_keys},
        "segments": {
            f"s{number}": _segment(f"s{number}", number, rule, workload.flag_keys, is_csv=is_csv)
            for number, rule in enumerate(workload.rules)
        },
    }
    return Contender(
        lambda subjects: [evaluate(each)["flags"][FLAG]["value"] for each in subjects],
        [
            {
                **environment,
                "identity": {
                    "identifier": account.key,
                    "key": account.key,
                    "traits": account.traits,
                },
            }
            for account in workload.accounts
        ],
    )


def _feature(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "name": key, "enabled": True, "value": value}


def _split() -> dict[str, Any]:
    variants = [
        {"key": model, "value": model, "weight": percent, "priority": number}
        for number, (model, percent) in enumerate(SPLIT.items())
    ]
    return {"variants": variants}


def _segment(
    key: str, priority: int, rule: Rule, flag_keys: Sequence[str], *, is_csv: bool
) -> dict[str, Any]:
    traits = {"$.identity.identifier": rule.keys} if rule.keys else rule.traits
    return {
        "key": key,
        "name": rule.segment or key,
        "rules": [{"type": "ALL", "conditions": _conditions(traits, is_csv=is_csv)}],
        "overrides": [{**_feature(each, rule.model), "priority": priority} for each in flag_keys],
    }


def _conditions(traits: Mapping[str, Sequence[str]], *, is_csv: bool) -> list[dict[str, Any]]:
    return [
        {
            "property": trait,
            "operator": "IN",
            "value": ",".join(values) if is_csv else list(values),
        }
        for trait, values in traits.items()
    ]
