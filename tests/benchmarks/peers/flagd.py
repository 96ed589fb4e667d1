"""flagd in-process: its core evaluator without the OpenFeature client around it; JSON logic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from tests.benchmarks.measure import Contender
from tests.benchmarks.workload import FLAG, MODELS, SPLIT, Rule, Workload


def flagd(workload: Workload) -> Contender:
    context = import_module("openfeature.evaluation_context").EvaluationContext
    core = import_module("openfeature.contrib.tools.flagd.core").FlagdCore()
    branches: list[Any] = []
    for rule in workload.rules:
        branches += [_condition(rule), rule.model]
    split = {"fractional": [[model, percent] for model, percent in SPLIT.items()]}
    flag = {
        "state": "ENABLED",
        "variants": {model: model for model in MODELS},
        "defaultVariant": "mini",
        "targeting": {"if": [*branches, split]},
    }
    evaluators = {rule.segment: _all(rule.traits) for rule in workload.rules if rule.segment}
    core.set_flags({"flags": dict.fromkeys(workload.flag_keys, flag), "$evaluators": evaluators})
    resolve = core.resolve_string_value
    return Contender(
        lambda subjects: [resolve(FLAG, "", each).value for each in subjects],
        [context(account.key, dict(account.traits)) for account in workload.accounts],
    )


def _condition(rule: Rule) -> dict[str, Any]:
    if rule.segment is not None:
        return {"$ref": rule.segment}
    return _all({"targetingKey": rule.keys} if rule.keys else rule.traits)


def _all(traits: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    tests = [{"in": [{"var": trait}, list(values)]} for trait, values in traits.items()]
    return tests[0] if len(tests) == 1 else {"and": tests}
