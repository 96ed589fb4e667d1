"""SEED-PLAN phase 2 (ModelRegistry), and what it does without rows or without a database."""

from __future__ import annotations

import threading
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import connection, transaction
from pytest_django import DjangoAssertNumQueries

from igny8_core.ai.model_registry import ModelRegistry
from igny8_core.catalogue.errors import NoDefaultModel, UnknownModel, UnknownModelType
from igny8_core.modules.system.models import AIModel
from igny8_core.pricing.errors import InvalidQuantity, MeterNotPriced
from tests.conftest import Manage

pytestmark = pytest.mark.django_db

committed = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def test_get_model__known__is_a_dict_with_decimal_rates() -> None:
    assert ModelRegistry.get_model("gpt-5.2") == {
        "model_id": "gpt-5.2",
        "display_name": "GPT-5.2",
        "provider": "openai",
        "model_type": "text",
        "input_rate": Decimal("1.75"),
        "output_rate": Decimal("14.00"),
        "max_tokens": 16000,
        "supports_json_mode": True,
        "supports_vision": False,
        "is_active": True,
        "is_default": False,
        "sort_order": 4,
        "available_to": "",
        "retires_at": None,
        "replaced_by": "",
        "context_window": 400_000,
    }


def test_get_model__changed_by_the_caller__nobody_else_sees_it() -> None:
    model = ModelRegistry.get_model("gpt-4o")
    assert model is not None
    model["input_rate"] = Decimal(0)
    assert ModelRegistry.get_model("gpt-4o") != model


def test_get_model__unknown__is_none() -> None:
    assert ModelRegistry.get_model("nope") is None


def test_get_model__only_among_the_plans_figures__is_found_there() -> None:
    model = ModelRegistry.get_model("gpt-image-1-mini")
    assert model is not None
    assert model["input_rate"] == Decimal("0.011")


def test_get_models_by_type__text__are_the_active_ones_in_order() -> None:
    AIModel.objects.filter(model_id="gpt-4o").update(is_active=False)
    ids = [model["model_id"] for model in ModelRegistry.get_models_by_type("text")]
    assert ids == [
        "gpt-4o-mini",
        "gpt-4.1",
        "gpt-5.1",
        "gpt-5.2",
        "claude-3-sonnet",
        "claude-3-opus",
        "claude-3-haiku",
    ]


def test_get_models_by_type__unknown__is_refused() -> None:
    with pytest.raises(UnknownModelType, match=r"'video'.*text, image, embedding"):
        ModelRegistry.get_models_by_type("video")


def test_get_default_model__no_argument__is_the_text_default() -> None:
    assert ModelRegistry.get_default_model()["model_id"] == "gpt-4o-mini"


def test_get_default_model__type_without_one__raises() -> None:
    with pytest.raises(NoDefaultModel, match="'image'"):
        ModelRegistry.get_default_model("image")


def test_get_default_model__default_is_inactive__raises() -> None:
    AIModel.objects.filter(model_id="gpt-4o-mini").update(is_active=False)
    with pytest.raises(NoDefaultModel):
        ModelRegistry.get_default_model("text")


@pytest.mark.parametrize(
    ("model_id", "meters", "cost"),
    [
        ("gpt-4o-mini", {"input_tokens": 1000, "output_tokens": 500}, 0.00045),
        ("gpt-4o-mini", {"input_tokens": 1}, 0.00000015),
        ("claude-3-opus", {"output_tokens": 1_000_000}, 75.0),
        ("dall-e-3", {"image_count": 3}, 0.12),
        ("runware:97@1", {"image_count": 1000}, 9.0),
        ("gpt-4o", {}, 0.0),
    ],
)
def test_calculate_cost__meters__is_exact_and_a_float(
    model_id: str, meters: dict[str, int], cost: float
) -> None:
    answer = ModelRegistry.calculate_cost(model_id, **meters)
    assert isinstance(answer, float)
    assert answer == cost


def test_calculate_cost__unknown_model__is_refused() -> None:
    with pytest.raises(UnknownModel, match="'nope'"):
        ModelRegistry.calculate_cost("nope", 1, 1)


@pytest.mark.parametrize(
    ("model_id", "meters"),
    [("dall-e-3", {"input_tokens": 5}), ("gpt-4o", {"image_count": 1})],
)
def test_calculate_cost__meter_without_a_rate__is_refused(
    model_id: str, meters: dict[str, int]
) -> None:
    with pytest.raises(MeterNotPriced):
        ModelRegistry.calculate_cost(model_id, **meters)


@pytest.mark.parametrize("value", [-1, 1.5, True, float("nan"), 10**18, "7", None])
def test_calculate_cost__nonsense_quantity__is_refused(value: object) -> None:
    with pytest.raises(InvalidQuantity, match="input_tokens"):
        ModelRegistry.calculate_cost("gpt-4o", input_tokens=value)  # type: ignore[arg-type]


def test_is_model_supported__active_inactive_unknown() -> None:
    AIModel.objects.filter(model_id="gpt-4o").update(is_active=False)
    assert ModelRegistry.is_model_supported("gpt-4.1")
    assert not ModelRegistry.is_model_supported("gpt-4o")
    assert not ModelRegistry.is_model_supported("gpt-image-1-mini")
    assert not ModelRegistry.is_model_supported("nope")


def test_catalogue__at_hand__asks_no_database(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    ModelRegistry.catalogue()
    with django_assert_num_queries(0):
        ModelRegistry.get_model("gpt-4o")
        ModelRegistry.get_default_model()
        ModelRegistry.calculate_cost("gpt-4.1", 1, 1)


@committed
def test_catalogue__change_committed__is_seen_at_once() -> None:
    assert ModelRegistry.is_model_supported("gpt-4o")
    AIModel.objects.filter(model_id="gpt-4o").update(is_active=False)
    assert not ModelRegistry.is_model_supported("gpt-4o")
    AIModel.objects.get(model_id="gpt-4o").delete()
    assert "gpt-4o" not in ModelRegistry.catalogue().models


@committed
def test_catalogue__change_rolled_back__was_seen_inside_and_never_kept() -> None:
    ModelRegistry.catalogue()
    with transaction.atomic():
        AIModel.objects.filter(model_id="gpt-4o").update(is_active=False)
        assert not ModelRegistry.is_model_supported("gpt-4o")
        transaction.set_rollback(True)
    assert ModelRegistry.is_model_supported("gpt-4o")


@committed
def test_catalogue__rolled_back_to_a_savepoint__holds_again(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    ModelRegistry.catalogue()
    with transaction.atomic():
        with transaction.atomic():
            AIModel.objects.filter(model_id="gpt-4o").update(is_active=False)
            transaction.set_rollback(True)
        with django_assert_num_queries(0):
            assert ModelRegistry.is_model_supported("gpt-4o")


@committed
def test_catalogue__another_thread_while_a_change_is_open__sees_the_committed_rows() -> None:
    seen: list[bool] = []

    def look() -> None:
        seen.append(ModelRegistry.is_model_supported("gpt-4o"))
        connection.close()

    ModelRegistry.catalogue()
    with transaction.atomic():
        AIModel.objects.filter(model_id="gpt-4o").update(is_active=False)
        ModelRegistry.is_model_supported("gpt-4o")
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert seen == [True]


def test_catalogue__empty__the_plans_figures_serve() -> None:
    AIModel.objects.all().delete()
    assert ModelRegistry.catalogue().is_constants
    assert ModelRegistry.get_default_model()["model_id"] == "gpt-4o-mini"
    assert ModelRegistry.is_model_supported("gpt-image-1-mini")
    assert [model["model_id"] for model in ModelRegistry.get_models_by_type("image")] == [
        "dall-e-3",
        "dall-e-2",
        "gpt-image-1",
        "gpt-image-1-mini",
    ]


def test_catalogue__database_without_tables__the_plans_figures_serve(
    manage_process: Manage, tmp_path: Path
) -> None:
    done = manage_process(
        "quote",
        "gpt-4o",
        "--meter=input_tokens=1000000",
        DATABASE_URL=f"sqlite:///{tmp_path / 'empty.sqlite3'}",
    )
    assert done.returncode == 0
    assert "2.50 USD" in done.stdout
    assert "database: no such table" in done.stderr


def test_catalogue__database_unreachable__the_plans_figures_serve(manage_process: Manage) -> None:
    done = manage_process(
        "quote",
        "gpt-4o",
        "--meter=input_tokens=1000000",
        DATABASE_URL="postgres://nobody@127.0.0.1:9/nothing",
    )
    assert done.returncode == 0
    assert "2.50 USD" in done.stdout
