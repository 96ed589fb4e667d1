"""The whole resolve(), asked a workload: the account's row in, model, price and reason out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

from django.core.cache import cache
from django.utils import timezone

from flags import live, publishing
from flags.accounts.lookup import facts_of
from igny8_core.ai.resolver import resolve, resolve_many
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.models import AIModel
from igny8_core.pricing import quotes
from tests.benchmarks import engine
from tests.benchmarks.measure import Contender, median_s
from tests.benchmarks.workload import FLAG, MODELS, Workload

TASK: Final = "generate_content"
_PRICE: Final = {
    "currency": "USD",
    "is_free": False,
    "lines": [
        {"meter": "input_tokens", "amount": "0.15", "per": 1_000_000},
        {"meter": "output_tokens", "amount": "0.60", "per": 1_000_000},
    ],
}


def whole(workload: Workload) -> Contender:
    """Published, the accounts stored, and what is known of them at hand."""
    publishing.apply(json.dumps(document(workload)))
    Account.objects.all().delete()
    Account.objects.bulk_create(
        [
            Account(key=key, name=key, plan=traits["plan"], country=traits["country"])
            for key, traits in workload.accounts
        ]
    )
    by_key = {account.key: account for account in Account.objects.all()}
    accounts = [by_key[account.key] for account in workload.accounts]
    live.current()
    for account in accounts:
        resolve(account, TASK)
    return Contender(
        lambda subjects: [resolve(each, TASK).model.model_id for each in subjects], accounts
    )


def first(again: Contender) -> Contender:
    """The same accounts, no answer of theirs held."""

    kept = [facts_of(account) for account in again.subjects]

    def decide(subjects: Sequence[Any]) -> list[Any]:
        for facts in kept:
            facts.held = None
        return again.decide(subjects)

    return Contender(decide, again.subjects)


def one_by_one_us(workload: Workload) -> dict[str, float]:
    """Each call timed by itself, the clock's own time in it: median and p99."""
    again = whole(workload)
    ways = {"asked before": again.decide, "an account's first": first(again).decide}
    found = {}
    for name, decide in ways.items():
        spent = sorted(_each_us(decide, again.subjects))
        found[f"{name}, median"] = spent[len(spent) // 2]
        found[f"{name}, p99"] = spent[int(len(spent) * 0.99)]
    return found


def _each_us(
    decide: Callable[[Sequence[Any]], list[Any]], subjects: Sequence[Any]
) -> Iterator[float]:
    decide([])
    for subject in subjects:
        started = time.perf_counter_ns()
        resolve(subject, TASK)
        yield (time.perf_counter_ns() - started) / 1_000


def document(workload: Workload) -> dict[str, Any]:
    """The engine's, its flag asked for text models, with a catalogue of the three."""
    made: Any = engine.document(workload)
    flag = {**made["flags"][FLAG], "vocabulary": "ai-model:text"}
    models = {
        name: {
            "display_name": name,
            "provider": "openai",
            "model_type": "text",
            "max_tokens": 100_000,
            "supports_json_mode": True,
            "supports_vision": False,
            "is_active": True,
            "is_default": name == MODELS[-1],
            "sort_order": 0,
            "available_to": "",
            "retires_at": None,
            "replaced_by": "",
            "prices": {"2026-01-01T00:00:00.000000Z": _PRICE},
        }
        for name in MODELS
    }
    return {
        **made,
        "flags": {"text": flag, TASK: {**flag, "rules": [], "default": None, "salt": TASK}},
        "sections": {"catalogue": {"models": models}},
    }


def by_the_rows() -> tuple[str, Decimal]:
    """The plan's own way: preference, else default, and its rates, by the ORM."""
    account = Account.objects.select_related("integration_settings__text_model").first()
    settings: Any = getattr(account, "integration_settings", None)
    preferred: AIModel | None = settings.text_model if settings else None
    model = preferred or AIModel.objects.get(model_type="text", is_default=True)
    return model.model_id, model.input_rate


def by_cached_rows() -> tuple[str, Decimal]:
    """The same, the default's row in the cache."""
    model: Any = cache.get_or_set(
        "bench:default", lambda: AIModel.objects.get(model_type="text", is_default=True)
    )
    return model.model_id, model.input_rate


def choose_and_price(account: Account) -> Decimal:
    """Ours: the model, and what 1,000 tokens in and 500 out cost the account's operator."""
    resolution = resolve(account, TASK)
    meters = {"input_tokens": 1000, "output_tokens": 500}
    return quotes.quote(resolution.price, meters, at=timezone.now()).cost


def many_s(accounts: int) -> float:
    """Seconds for a report over so many accounts, their rows read too."""
    Account.objects.all().delete()
    Account.objects.bulk_create(
        [
            Account(key=f"many-{number}", name="x", plan="pro", country="DE")
            for number in range(accounts)
        ],
        batch_size=1000,
    )
    return median_s(lambda: sum(1 for _ in resolve_many(Account.objects.iterator(), TASK)))
