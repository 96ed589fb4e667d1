"""What a call costs by genai-prices and by LiteLLM, from the catalogues that they bring along."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib import import_module


def genai_prices(model: str, meters: Mapping[str, int], at: datetime) -> Callable[[], object]:
    module = import_module("genai_prices")
    usage = module.Usage(
        input_tokens=meters["input_tokens"],
        cache_read_tokens=meters["cached_input_tokens"],
        output_tokens=meters["output_tokens"],
    )
    return lambda: (
        module.calc_price(
            usage, model_ref=model, provider_id="openai", genai_request_timestamp=at
        ).total_price
    )


def litellm(model: str, meters: Mapping[str, int]) -> Callable[[], object]:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else the import asks the network
    cost = import_module("litellm").cost_per_token
    return lambda: sum(
        cost(
            model=model,
            prompt_tokens=meters["input_tokens"],
            completion_tokens=meters["output_tokens"],
            cache_read_input_tokens=meters["cached_input_tokens"],
        )
    )
