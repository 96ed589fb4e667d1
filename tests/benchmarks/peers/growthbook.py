"""GrowthBook: forced values by condition, then an experiment on the account's id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from tests.benchmarks.measure import Contender
from tests.benchmarks.workload import FLAG, SPLIT, Rule, Workload


def growthbook(workload: Workload) -> Contender:
    feature = {"defaultValue": "mini", "rules": [*map(_rule, workload.rules), _experiment()]}
    book = import_module("growthbook").GrowthBook(
        features=dict.fromkeys(workload.flag_keys, feature)
    )

    def decide(subjects: Sequence[Mapping[str, str]]) -> list[Any]:
        answers = []
        for each in subjects:
            book.set_attributes(each)
            answers.append(book.eval_feature(FLAG).value)
        return answers

    return Contender(
        decide, [{"id": account.key, **account.traits} for account in workload.accounts]
    )


def _rule(rule: Rule) -> dict[str, Any]:
    traits = {"id": rule.keys} if rule.keys else rule.traits
    condition = {trait: {"$in": list(values)} for trait, values in traits.items()}
    return {"condition": condition, "force": rule.model}


def _experiment() -> dict[str, Any]:
    return {
        "key": FLAG,
        "hashAttribute": "id",
        "variations": list(SPLIT),
        "weights": [percent / 100 for percent in SPLIT.values()],
    }
