"""`make bench`: our calls beside the ways they replace, in one run; also written to bench.json."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import django
from django.core.management import call_command

from igny8_core.catalogue.models import price_of
from igny8_core.pricing import quotes
from igny8_core.pricing.conditions import Condition
from igny8_core.pricing.meters import Meter
from igny8_core.pricing.prices import PER_MILLION, Price, RateLine
from tests.benchmarks.measure import decisions_us, medians_us

Contenders = dict[str, Callable[[], object]]
OUTPUT = Path("bench.json")


def main() -> None:
    with TemporaryDirectory() as folder:
        os.environ["DATABASE_URL"] = f"sqlite:///{folder}/bench.sqlite3"
        os.environ["REDIS_URL"] = ""
        os.environ["FLAGS_FACTS_TTL_S"] = "3600"  # what is at hand is timed, not its reading
        os.environ["DJANGO_SETTINGS_MODULE"] = "igny8_core.settings"
        django.setup()
        call_command("migrate", verbosity=0)
        figures = measure()
    machine = {"python": platform.python_version(), "machine": platform.machine()}
    OUTPUT.write_text(json.dumps({**machine, **figures}, indent=2) + "\n")
    print(f"\nwritten to {OUTPUT}")


def measure() -> dict[str, object]:
    """Every table, printed as soon as it is there."""
    from tests.benchmarks.growth import documents_s, growth, kept_by_threads
    from tests.benchmarks.liveness import changes_ms
    from tests.benchmarks.liveness import growth as great_document
    from tests.benchmarks.resolver import many_s, one_by_one_us
    from tests.benchmarks.tables import tables_s
    from tests.benchmarks.workload import decide as decide_workload

    medians = {}
    for title, measured in (("choose", choose), ("price", price)):
        medians[title] = medians_us(measured())
        show(title, "median µs", medians[title])
    medians["decide"] = decide()
    show("decide", "median µs", medians["decide"])
    one_by_one = one_by_one_us(decide_workload())
    show("resolve(), each call timed by itself (p99 2.5)", "µs", one_by_one)
    grown = growth()
    for title, rows in grown.items():
        show_growth(title, rows)
    kept = kept_by_threads()
    show("16 threads", "% kept", kept)
    documents = documents_s()
    show("whole documents", "seconds", documents)
    many = {"100,000 accounts, their rows read too": many_s(100_000)}
    show("resolve_many()", "seconds", many)
    tables = tables_s()
    show("200 flags, 2,000 rules, 300 segments as rows", "seconds", tables)
    changes = changes_ms()
    show_rows("a change reaches another process: ms (bounds)", changes)
    great = great_document()
    show("1,000 models, 10,000 rules, 1,000 segments of 1,000 accounts", "(bounds)", great)
    return {
        "changes_ms": changes,
        "great_document": great,
        "medians_us": medians,
        "resolve_one_by_one_us": one_by_one,
        "growth_us": grown,
        "kept_by_16_threads_percent": kept,
        "documents_s": documents,
        "resolve_many_s": many,
        "tables_s": tables,
    }


def show(title: str, unit: str, rows: Mapping[str, float]) -> None:
    print(f"\n{title:<48}{unit:>12}")
    for name, figure in rows.items():
        print(f"  {name:<46}{figure:>12.2f}", flush=True)


def show_rows(title: str, rows: Mapping[str, Mapping[str, float]]) -> None:
    columns = next(iter(rows.values()))
    print(f"\n{title:<48}" + "".join(f"{name:>12}" for name in columns))
    for name, row in rows.items():
        figures = "".join(f"{figure:>12.1f}" for figure in row.values())
        print(f"  {name:<46}{figures}", flush=True)


def show_growth(title: str, rows: Mapping[str, Mapping[int, float]]) -> None:
    """The last column is what one more of them costs."""
    sizes = next(iter(rows.values()))
    print(f"\n{title:<48}" + "".join(f"{size:>12,}" for size in sizes) + f"{'ns for one':>12}")
    for name, row in rows.items():
        (first, least), *_, (last, most) = row.items()
        each = 1_000 * (most - least) / (last - first)
        figures = "".join(f"{figure:>12.2f}" for figure in row.values())
        print(f"  {name:<46}{figures}{each:>12.1f}", flush=True)


def decide() -> dict[str, float]:
    """Which of three models each of 10,000 accounts gets, in all engines' own terms."""
    from tests.benchmarks import workload
    from tests.benchmarks.engine import ours, ours_with_trail
    from tests.benchmarks.growth import ENGINES
    from tests.benchmarks.peers.flagsmith import flagsmith_lists
    from tests.benchmarks.peers.litellm import litellm
    from tests.benchmarks.peers.waffle import waffle
    from tests.benchmarks.resolver import first, whole

    asked = workload.decide()
    engines = {
        "ours: resolve(), whole": whole,
        "ours": ours,
        "ours, with trail": ours_with_trail,
        **ENGINES,
        "Flagsmith, targets as a list": flagsmith_lists,
        "waffle, two flags for a user, locmem": waffle,
    }
    contenders = {name: setup(asked) for name, setup in engines.items()}
    for name, contender in contenders.items():
        workload.check(name, contender, asked)
    contenders["ours: resolve(), an account's first"] = first(contenders["ours: resolve(), whole"])
    return decisions_us({**contenders, "LiteLLM router, weights alone": litellm(asked)})


def choose() -> Contenders:
    """Which model an account gets for a task."""
    from igny8_core.ai.resolver import resolve
    from igny8_core.modules.accounts.models import Account
    from tests.benchmarks.resolver import by_cached_rows, by_the_rows, choose_and_price

    acme = Account.objects.create(key="acme", name="Acme GmbH")
    return {
        "resolve()": lambda: resolve(acme, "generate_content"),
        "resolve(model=…)": lambda: resolve(acme, "generate_content", model="gpt-5.2"),
        "resolve() and quote()": lambda: choose_and_price(acme),
        "the plan's way, the row in the cache": by_cached_rows,
        "the plan's way, by the ORM": by_the_rows,
    }


def price() -> Contenders:
    """What 1,000 tokens in, 200 of them cached, and 500 out cost; the cost is read each time."""
    from django.utils import timezone

    from igny8_core.ai.model_registry import ModelRegistry
    from igny8_core.modules.system.ai_models import AIModel
    from igny8_core.modules.system.models import ModelPrice
    from tests.benchmarks.peers import prices

    row = AIModel.objects.get(model_id="gpt-5.2")
    cached = RateLine(Meter.CACHED_INPUT_TOKENS, Decimal("0.175"), PER_MILLION)
    headline = [*row.prices.get().value().lines, cached]
    ModelPrice.publish(row, headline)
    at = timezone.now()
    model = ModelRegistry.catalogue().models["gpt-5.2"]
    rates = price_of(model, at)
    tiered = Price(
        "tiered",
        [
            *headline,
            *(
                line._replace(condition=Condition(200_001), written={"context": "> 200000"})
                for line in headline
            ),
        ],
    )
    meters = {"input_tokens": 1000, "cached_input_tokens": 200, "output_tokens": 500}

    def by_orm() -> Decimal:
        row = AIModel.objects.get(model_id="gpt-5.2")
        return (1000 * row.input_rate + 500 * row.output_rate) / 1_000_000

    contenders: Contenders = {
        "quote()": lambda: quotes.quote(rates, meters, at=at).cost,
        "price_of() and quote()": lambda: quotes.quote(price_of(model, at), meters, at=at).cost,
        "quote() of a price with tiers": lambda: quotes.quote(tiered, meters, at=at).cost,
        "calculate_cost()": lambda: ModelRegistry.calculate_cost("gpt-5.2", 1000, 500),
        "genai-prices calc_price()": prices.genai_prices("gpt-5.2", meters, at),
        "LiteLLM cost_per_token()": prices.litellm("gpt-5.2", meters),
        "the row by the ORM, Decimal": by_orm,
    }
    ours = contenders["quote()"]()
    if contenders["genai-prices calc_price()"]() != ours:
        raise AssertionError("genai-prices has another cost")
    return contenders


if __name__ == "__main__":
    main()
