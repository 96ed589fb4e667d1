"""Unleash: a strategy for each rule, with its variants; bootstrapped, never started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from tempfile import TemporaryDirectory
from typing import Any

from tests.benchmarks.measure import Contender
from tests.benchmarks.workload import FLAG, SPLIT, Rule, Workload


def unleash(workload: Workload) -> Contender:
    sdk = import_module("UnleashClient")
    caches = import_module("UnleashClient.cache")
    utils = import_module("UnleashClient.utils")
    named = [rule for rule in workload.rules if rule.segment is not None]
    segments = [
        {"id": number, "constraints": _constraints(rule.traits)}
        for number, rule in enumerate(named)
    ]
    strategies = [_strategy(rule, named) for rule in workload.rules]
    strategies.append({**_rollout(SPLIT), "constraints": [], "segments": []})
    features = [
        {"name": key, "enabled": True, "strategies": strategies} for key in workload.flag_keys
    ]
    with TemporaryDirectory() as folder:
        cache = caches.FileCache("benchmark", directory=folder)
        cache.bootstrap_from_dict({"version": 2, "features": features, "segments": segments})
        client = sdk.UnleashClient(
            "http://127.0.0.1:9/",
            "benchmark",
            cache=cache,
            disable_metrics=True,
            disable_registration=True,
            multiple_instance_mode=utils.InstanceAllowType.SILENTLY_ALLOW,
        )
    return Contender(
        lambda subjects: [client.get_variant(FLAG, each)["name"] for each in subjects],
        [{"userId": account.key, "properties": account.traits} for account in workload.accounts],
    )


def _strategy(rule: Rule, named: Sequence[Rule]) -> dict[str, Any]:
    traits = {"userId": rule.keys} if rule.keys else rule.traits
    return {
        **_rollout({rule.model: 100}),
        "constraints": [] if rule in named else _constraints(traits),
        "segments": [named.index(rule)] if rule in named else [],
    }


def _rollout(weights: Mapping[str, int]) -> dict[str, Any]:
    return {
        "name": "flexibleRollout",
        "parameters": {"rollout": "100", "stickiness": "userId", "groupId": FLAG},
        "variants": [
            {"name": model, "weight": percent * 10, "weightType": "fix", "stickiness": "userId"}
            for model, percent in weights.items()
        ],
    }


def _constraints(traits: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    return [
        {"contextName": trait, "operator": "IN", "values": list(values)}
        for trait, values in traits.items()
    ]
