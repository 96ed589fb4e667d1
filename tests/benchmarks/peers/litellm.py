"""LiteLLM's router: deployments by weight. It targets no accounts: less than what is asked."""

from __future__ import annotations

import os
from importlib import import_module

from tests.benchmarks.measure import Contender
from tests.benchmarks.workload import FLAG, SPLIT, Workload


def litellm(workload: Workload) -> Contender:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else the import asks the network
    router = import_module("litellm").Router(
        model_list=[
            {
                "model_name": FLAG,
                "litellm_params": {
                    "model": f"openai/{model}",
                    "api_key": "benchmark",
                    "weight": percent,
                },
            }
            for model, percent in SPLIT.items()
        ]
    )
    pick = router.get_available_deployment
    return Contender(
        lambda subjects: [pick(FLAG)["litellm_params"]["model"] for _ in subjects],
        [account.key for account in workload.accounts],
    )
