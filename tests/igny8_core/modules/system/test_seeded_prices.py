"""What calls to the seeded models cost, and how their prices came into a database of any age."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import cache
from importlib import import_module
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import StateApps
from django.utils import timezone
from genai_prices import Usage, calc_price

from flags import publishing
from flags.document import export
from flags.models import Revision
from igny8_core.ai.model_registry import ModelRegistry
from igny8_core.catalogue.models import price_of
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.models import AIModel, ModelAlias, ModelPrice
from igny8_core.modules.usage.models import Adjustment
from igny8_core.pricing import quotes
from igny8_core.pricing.conditions import PriceContext
from igny8_core.pricing.meters import Meter
from igny8_core.pricing.prices import Price, RateLine, billable, headline_lines
from tests.conftest import ROOT
from tests.igny8_core.modules.test_usage import receipt

migration: Any = import_module("igny8_core.modules.system.migrations.0014_catalogue_rates")
CASES: dict[str, Any] = json.loads((ROOT / "tests" / "cases" / "seeded_prices.json").read_text())
# Its names for ours.
THEIRS = {
    "cached_input_tokens": "cache_read_tokens",
    "cache_write_5m_tokens": "cache_write_tokens",
}
READ = {"input_tokens": 130_213, "cached_input_tokens": 128_955, "output_tokens": 100}
WRITTEN = {"input_tokens": 100, "cache_write_5m_tokens": 90, "output_tokens": 1}
PUBLIC = [
    (model_id, meters)
    for model_id, seeded in migration.MODELS.items()
    for meters in (READ, WRITTEN)
    if seeded.model_type == "text" and (meters is READ or seeded.provider == "anthropic")
]

pytestmark = pytest.mark.django_db


@cache
def state() -> StateApps:
    """The tables as migrations see them."""
    return MigrationLoader(connection).project_state().apps


class Migration:
    """The migration, in the test's own transaction."""

    def __init__(self) -> None:
        self._editor = connection.schema_editor(atomic=False)

    def forwards(self) -> None:
        migration.add_lines(state(), self._editor)

    def backwards(self) -> None:
        migration.take_away(state(), self._editor)


@pytest.fixture
def upgrade() -> Migration:
    """On a database as the version before left it, which has published."""
    upgrade = Migration()
    upgrade.backwards()
    publishing.publish()
    return upgrade


@pytest.fixture
def before(upgrade: Migration) -> dict[str, Any]:
    return told()


def told() -> dict[str, Any]:
    """Each model's prices, by the moments at which they begin."""
    models = export.document()["sections"]["catalogue"]["models"]
    return {model_id: entry["prices"] for model_id, entry in models.items()}


def price_now(model_id: str) -> Price:
    publishing.publish()
    model = ModelRegistry.find(model_id)
    assert model is not None
    return price_of(model, timezone.now())


def cost_of(case: dict[str, Any]) -> Decimal:
    price = price_now(case["model"])
    context = PriceContext(**case.get("context", {}))
    meters = billable(price, case["meters"])
    return quotes.quote(price, meters, at=timezone.now(), context=context).cost


def public_cost(model_id: str, usage: Usage, name: str = "") -> Decimal:
    provider = AIModel.objects.get(model_id=model_id).provider
    return calc_price(
        usage, name or model_id, provider_id=provider, genai_request_timestamp=migration.READ_AT
    ).total_price


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda case: f"{case['model']} {case['cost']}")
def test_call__to_a_seeded_model__costs_that(case: dict[str, Any]) -> None:
    assert cost_of(case) == Decimal(case["cost"])


def test_calls__after_an_upgrade__cost_the_same(upgrade: Migration) -> None:
    upgrade.forwards()
    assert [cost_of(case) for case in CASES["cases"]] == [
        Decimal(case["cost"]) for case in CASES["cases"]
    ]


@pytest.mark.parametrize("model_id", CASES["headlines"])
def test_headline__of_a_seeded_model__is_the_plans(model_id: str) -> None:
    model = AIModel.objects.get(model_id=model_id)
    rates = tuple(Decimal(rate) for rate in CASES["headlines"][model_id])
    assert price_now(model_id).headline(model.model_type) == rates
    assert (model.input_rate, model.output_rate) == rates


@pytest.mark.parametrize(("model_id", "meters"), [*PUBLIC])
def test_call__by_the_public_catalogue__costs_the_same(
    model_id: str, meters: dict[str, int]
) -> None:
    usage = Usage(**{THEIRS.get(meter, meter): count for meter, count in meters.items()})
    assert cost_of({"model": model_id, "meters": meters}) == public_cost(model_id, usage)


def test_snapshots__of_the_seeded_models__have_the_same_price_in_the_public_catalogue() -> None:
    usage = Usage(input_tokens=100, cache_read_tokens=90, output_tokens=1)
    aliases = [*ModelAlias.objects.select_related("model")]
    assert len(aliases) == 10
    for alias in aliases:
        model_id = alias.model.model_id
        assert public_cost(model_id, usage, alias.name) == public_cost(model_id, usage)


def test_migrate__database_that_never_published__has_one_price_a_model(
    upgrade: Migration, before: dict[str, Any]
) -> None:
    Revision.objects.all().delete()
    upgrade.forwards()
    assert {model_id: [*prices] for model_id, prices in told().items()} == {
        model_id: [*prices] for model_id, prices in before.items()
    }
    upgrade.backwards()
    assert told() == before


def test_migrate__database_in_use__adds_a_price_from_now_and_takes_it_away_again(
    upgrade: Migration, before: dict[str, Any]
) -> None:
    started = timezone.now()
    upgrade.forwards()
    after = told()
    for model_id, prices in before.items():
        assert {moment: after[model_id].pop(moment) for moment in prices} == prices
    assert {model_id for model_id, added in after.items() if added} == {*migration.MODELS}
    assert all(len(added) == 1 for added in after.values() if added)
    new = ModelPrice.objects.filter(effective_from__gte=started)
    assert new.count() == len(migration.MODELS)
    publishing.publish()
    upgrade.backwards()
    assert told() == before


def test_migrate__no_revision_but_receipts__changes_no_price_that_may_have_billed(
    upgrade: Migration, before: dict[str, Any], acme: Account
) -> None:
    receipt(acme).save()
    Revision.objects.all().delete()
    upgrade.forwards()
    after = told()
    for model_id, prices in before.items():
        assert {moment: after[model_id][moment] for moment in prices} == prices
    assert len(after["gpt-4o"]) == 2


def write_headline(model: AIModel) -> None:
    model.input_rate = Decimal("2.10")
    model.save()


def write_back(model: AIModel) -> None:
    write_headline(model)
    model.input_rate = Decimal("2.50")
    model.save()


def add_line(model: AIModel) -> None:
    cached = migration.tokens(cached_input="1.00")
    lines = [*model.prices.get().value().lines, *(value_of(line) for line in cached)]
    ModelPrice.publish(model, lines)


def make_free(model: AIModel) -> None:
    ModelPrice.publish(model, [], is_free=True)


def serve_elsewhere(model: AIModel) -> None:
    model.provider = "google"
    model.save()


def delete(model: AIModel) -> None:
    model.delete()


def value_of(line: Any) -> RateLine:
    return RateLine(Meter(line.meter), line.amount, line.per)


@pytest.mark.parametrize(
    "edit", [write_headline, write_back, add_line, make_free, serve_elsewhere, delete]
)
def test_migrate__model_that_an_operator_edited__is_left_alone(
    upgrade: Migration, edit: Callable[[AIModel], None]
) -> None:
    edit(AIModel.objects.get(model_id="gpt-4o"))
    before = told()
    upgrade.forwards()
    after = told()
    assert after.get("gpt-4o") == before.get("gpt-4o")
    assert len(after["gpt-4.1"]) == 2
    upgrade.backwards()
    assert told() == before


def test_migrate__price_that_was_scheduled__still_begins_at_its_moment(upgrade: Migration) -> None:
    model = AIModel.objects.get(model_id="gpt-4o")
    later = timezone.now() + timedelta(days=30)
    lines = headline_lines("text", [Decimal(2), Decimal(8)])
    ModelPrice.publish(model, lines, effective_from=later)
    upgrade.forwards()
    publishing.publish()
    found = ModelRegistry.find("gpt-4o")
    assert found is not None
    meters = {"input_tokens": 100, "cached_input_tokens": 100}
    costs = [
        quotes.quote(price_of(found, at), meters, at=at).cost
        for at in (later - timedelta(seconds=1), later)
    ]
    assert costs == [Decimal("0.000125"), Decimal("0.0002")]


def test_backwards__price_that_billed_a_call__stays(upgrade: Migration, acme: Account) -> None:
    upgrade.forwards()
    publishing.publish()
    named, settled, free = (
        ModelPrice.objects.filter(model__model_id=model_id).latest("effective_from")
        for model_id in ("gpt-4o", "gpt-4.1", "gpt-5.2")
    )
    receipt(acme, request_id=uuid4(), price=named).save()
    unpriced = receipt(acme, request_id=uuid4(), cost=None, status="unpriced")
    unpriced.save()
    Adjustment.objects.create(
        receipt=unpriced,
        model_priced="gpt-4.1",
        price=settled,
        meters={},
        lines=[],
        cost=Decimal(1),
    )
    before = told()
    upgrade.backwards()
    after = told()
    assert (after["gpt-4o"], after["gpt-4.1"]) == (before["gpt-4o"], before["gpt-4.1"])
    assert not ModelPrice.objects.filter(pk=free.pk).exists()
    upgrade.forwards()
    assert told()["gpt-4o"] == before["gpt-4o"]
