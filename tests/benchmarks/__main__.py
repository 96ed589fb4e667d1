"""`make bench`: our calls beside the ways they replace, in one run; also written to bench.json."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import django
from django.core.management import call_command

from tests.benchmarks.measure import medians_us

Contenders = dict[str, Callable[[], object]]
OUTPUT = Path("bench.json")


def main() -> None:
    with TemporaryDirectory() as folder:
        os.environ["DATABASE_URL"] = f"sqlite:///{folder}/bench.sqlite3"
        os.environ["DJANGO_SETTINGS_MODULE"] = "igny8_core.settings"
        django.setup()
        call_command("migrate", verbosity=0)
        tables = {"choose": medians_us(choose()), "price": medians_us(price())}
    for title, rows in tables.items():
        print(f"\n{title:<42}{'median µs':>12}")
        for name, median in rows.items():
            print(f"  {name:<40}{median:>12.2f}")
    machine = {"python": platform.python_version(), "machine": platform.machine()}
    OUTPUT.write_text(json.dumps({**machine, "medians_us": tables}, indent=2) + "\n")
    print(f"\nwritten to {OUTPUT}")


def choose() -> Contenders:
    """Which model an account gets for a task."""
    from igny8_core.ai.resolver import resolve
    from igny8_core.modules.accounts.models import Account
    from igny8_core.modules.system.global_settings_models import AIModel

    acme = Account.objects.create(key="acme", name="Acme GmbH")
    return {
        "resolve()": lambda: resolve(acme, "generate_content"),
        "resolve(model=…)": lambda: resolve(acme, "generate_content", model="gpt-5.2"),
        "the row by the ORM": lambda: AIModel.objects.get(model_type="text", is_default=True),
    }


def price() -> Contenders:
    """What 1,000 tokens in and 500 out cost."""
    from igny8_core.ai import pricing
    from igny8_core.ai.model_registry import ModelRegistry
    from igny8_core.modules.system.global_settings_models import AIModel

    rates = pricing.price_of(ModelRegistry.catalogue().models["gpt-5.2"])
    meters = {"input_tokens": 1000, "output_tokens": 500}

    def by_orm() -> Decimal:
        row = AIModel.objects.get(model_id="gpt-5.2")
        return (1000 * row.input_rate + 500 * row.output_rate) / 1_000_000

    return {
        "quote()": lambda: pricing.quote(rates, meters),
        "calculate_cost()": lambda: ModelRegistry.calculate_cost("gpt-5.2", 1000, 500),
        "the row by the ORM, Decimal": by_orm,
    }


if __name__ == "__main__":
    main()
