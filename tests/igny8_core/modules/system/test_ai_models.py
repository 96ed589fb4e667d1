"""SEED-PLAN phase 1 (AIModel) and phase 5 (its rows)."""

from __future__ import annotations

import threading
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, models, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from igny8_core.modules.system.errors import InvalidRate
from igny8_core.modules.system.models import AIModel
from igny8_core.pricing.meters import ModelType

pytestmark = pytest.mark.django_db

# name: (class, max_length, max_digits, decimal_places, default, help text), as the plan has them
FIELDS: dict[str, tuple[type[models.Field[Any, Any]], dict[str, Any]]] = {
    "model_id": (
        models.CharField,
        {
            "max_length": 100,
            "unique": True,
            "help_text": "Model identifier (e.g., 'gpt-4o-mini', 'claude-3-sonnet')",
        },
    ),
    "display_name": (
        models.CharField,
        {"max_length": 200, "help_text": "User-friendly name (e.g., 'GPT-4o Mini')"},
    ),
    "provider": (
        models.CharField,
        {
            "max_length": 50,
            "choices": [
                ("openai", "OpenAI"),
                ("anthropic", "Anthropic"),
                ("runware", "Runware"),
                ("google", "Google AI"),
            ],
        },
    ),
    "model_type": (
        models.CharField,
        {
            "max_length": 20,
            "choices": [
                ("text", "Text Generation"),
                ("image", "Image Generation"),
                ("embedding", "Embedding"),
            ],
        },
    ),
    "input_rate": (
        models.DecimalField,
        {
            "max_digits": 10,
            "decimal_places": 4,
            "default": 0,
            "help_text": "Cost per 1M input tokens (text) or per request (image)",
        },
    ),
    "output_rate": (
        models.DecimalField,
        {
            "max_digits": 10,
            "decimal_places": 4,
            "default": 0,
            "help_text": "Cost per 1M output tokens (text only)",
        },
    ),
    "max_tokens": (
        models.IntegerField,
        {"default": 8192, "help_text": "Maximum tokens for this model"},
    ),
    "supports_json_mode": (
        models.BooleanField,
        {"default": True, "help_text": "Whether model supports JSON response format"},
    ),
    "supports_vision": (
        models.BooleanField,
        {"default": False, "help_text": "Whether model supports image input"},
    ),
    "is_active": (models.BooleanField, {"default": True}),
    "is_default": (
        models.BooleanField,
        {"default": False, "help_text": "Use as default when no specific model is configured"},
    ),
    "sort_order": (models.IntegerField, {"default": 0}),
    "created_at": (models.DateTimeField, {"auto_now_add": True}),
    "updated_at": (models.DateTimeField, {"auto_now": True}),
}

# Phase 5, in the plan's order: id, name, provider, type, input rate, output rate, max tokens
ROWS = [
    ("gpt-4o-mini", "GPT-4o Mini", "openai", "text", "0.15", "0.60", 8192),
    ("gpt-4o", "GPT-4o", "openai", "text", "2.50", "10.00", 8192),
    ("gpt-4.1", "GPT-4.1", "openai", "text", "2.00", "8.00", 8192),
    ("gpt-5.1", "GPT-5.1", "openai", "text", "1.25", "10.00", 16000),
    ("gpt-5.2", "GPT-5.2", "openai", "text", "1.75", "14.00", 16000),
    ("claude-3-sonnet", "Claude 3 Sonnet", "anthropic", "text", "3.00", "15.00", 8192),
    ("claude-3-opus", "Claude 3 Opus", "anthropic", "text", "15.00", "75.00", 8192),
    ("claude-3-haiku", "Claude 3 Haiku", "anthropic", "text", "0.25", "1.25", 8192),
    ("dall-e-3", "DALL-E 3", "openai", "image", "0.040", "0", 8192),
    ("dall-e-2", "DALL-E 2", "openai", "image", "0.020", "0", 8192),
    ("gpt-image-1", "GPT Image 1", "openai", "image", "0.042", "0", 8192),
    ("runware:97@1", "Runware 97@1", "runware", "image", "0.009", "0", 8192),
]
SEED = import_module("igny8_core.modules.system.migrations.0002_seed_ai_models")


@pytest.mark.parametrize("name", FIELDS)
def test_field__each_of_the_plan__is_as_the_plan_says(name: str) -> None:
    kind, options = FIELDS[name]
    field = AIModel._meta.get_field(name)
    assert type(field) is kind
    assert {option: getattr(field, option) for option in options} == options


def test_meta__of_the_plan__table_ordering_and_str() -> None:
    assert AIModel._meta.db_table == "igny8_ai_models"
    assert AIModel._meta.ordering == ["sort_order", "display_name"]
    assert str(AIModel.objects.get(model_id="gpt-4o")) == "GPT-4o (gpt-4o)"
    assert AIModel.__doc__ is not None
    assert "Replaces hardcoded MODEL_RATES and IMAGE_MODEL_RATES." in AIModel.__doc__


def test_model_types__choices_and_enum__are_the_same() -> None:
    assert [value for value, _ in AIModel.MODEL_TYPE_CHOICES] == list(ModelType)


@pytest.mark.parametrize(("position", "row"), list(enumerate(ROWS)), ids=[row[0] for row in ROWS])
def test_seed__each_row_of_the_plan__is_there_exactly(position: int, row: tuple[Any, ...]) -> None:
    model = AIModel.objects.get(model_id=row[0])
    assert (
        model.display_name,
        model.provider,
        model.model_type,
        model.input_rate,
        model.output_rate,
        model.max_tokens,
    ) == (*row[1:4], Decimal(row[4]), Decimal(row[5]), row[6])
    assert model.sort_order == position
    assert model.is_active
    assert model.is_default == (row[0] == "gpt-4o-mini")


def test_seed__whole__has_the_plans_rows_in_its_order() -> None:
    assert list(AIModel.objects.values_list("model_id", flat=True)) == [row[0] for row in ROWS]


def _editor() -> BaseDatabaseSchemaEditor:
    return connection.schema_editor(atomic=False)


def test_seed__rows_and_default_exist__are_left_alone() -> None:
    AIModel.objects.exclude(model_id="gpt-4o").delete()
    mine = AIModel.objects.get(model_id="gpt-4o")
    mine.display_name, mine.is_default = "Ours", True
    mine.save()
    SEED.seed(apps, _editor())
    assert AIModel.objects.count() == 12
    assert AIModel.objects.get(is_default=True).display_name == "Ours"


def test_unseed__untouched_and_edited_rows__only_the_untouched_go() -> None:
    AIModel.objects.filter(model_id="gpt-4o").update(input_rate="9")
    SEED.unseed(apps, _editor())
    assert list(AIModel.objects.values_list("model_id", flat=True)) == ["gpt-4o"]
    SEED.seed(apps, _editor())
    assert AIModel.objects.count() == 12


def _defaults(model_type: str = "text") -> list[str]:
    rows = AIModel.objects.filter(model_type=model_type, is_default=True)
    return list(rows.values_list("model_id", flat=True))


def test_default__second_one_saved__the_first_is_cleared_by_save() -> None:
    saved: list[str] = []

    def on_save(instance: AIModel, **_signal: object) -> None:
        saved.append(instance.model_id)

    models.signals.post_save.connect(on_save, sender=AIModel)
    try:
        model = AIModel.objects.get(model_id="gpt-4o")
        model.is_default = True
        model.save()
    finally:
        models.signals.post_save.disconnect(on_save, sender=AIModel)
    assert saved == ["gpt-4o-mini", "gpt-4o"]
    assert _defaults() == ["gpt-4o"]


def test_default__switched_by_update__the_first_is_cleared() -> None:
    assert AIModel.objects.filter(model_id="gpt-4o").update(is_default=True) == 1
    assert _defaults() == ["gpt-4o"]


def test_default__switched_by_bulk_update__the_first_is_cleared() -> None:
    model = AIModel.objects.get(model_id="gpt-4o")
    model.is_default = True
    assert AIModel.objects.bulk_update([model], ["is_default"]) == 1
    assert _defaults() == ["gpt-4o"]


def test_default__added_by_bulk_create__the_first_is_cleared() -> None:
    AIModel.objects.bulk_create(
        [AIModel(model_id="new", display_name="New", model_type="text", is_default=True)]
    )
    assert _defaults() == ["new"]


@pytest.mark.parametrize("option", ["ignore_conflicts", "update_conflicts"])
def test_bulk_create__would_bypass_save__is_refused(option: str) -> None:
    with pytest.raises(ValueError, match="would bypass"):
        AIModel.objects.bulk_create([], **{option: True})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="would bypass"):
        AIModel.objects.bulk_create([], None, True)  # noqa: FBT003 - as a caller may


def test_default__stale_row_saved_for_another_field__the_default_stays() -> None:
    stale = AIModel.objects.get(model_id="gpt-4o-mini")
    AIModel.objects.get(model_id="gpt-4o").make_default()
    stale.display_name = "Mini"
    stale.save(update_fields=["display_name"])
    assert _defaults() == ["gpt-4o"]


def test_default__checked_as_a_form_does__another_default_is_no_fault() -> None:
    model = AIModel.objects.get(model_id="gpt-4o")
    model.is_default = True
    model.full_clean()
    model.save()
    assert _defaults() == ["gpt-4o"]


def test_toggle_active_and_make_default__row__is_switched() -> None:
    model = AIModel.objects.get(model_id="gpt-4o")
    model.toggle_active()
    assert not AIModel.objects.get(model_id="gpt-4o").is_active
    model.make_default()
    assert _defaults() == ["gpt-4o"]
    assert AIModel.objects.get(model_id="gpt-4o").is_active


def test_default__moved_to_another_type__that_types_default_is_cleared() -> None:
    AIModel.objects.filter(model_id="dall-e-3").update(is_default=True)
    AIModel.objects.filter(model_id="gpt-4o-mini").update(model_type="image")
    assert _defaults() == []
    assert _defaults("image") == ["gpt-4o-mini"]


def test_default__save_fails__the_old_one_stays() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        AIModel.objects.create(
            model_id="gpt-4o", display_name="Twice", model_type="text", is_default=True
        )
    assert _defaults() == ["gpt-4o-mini"]


def test_default__two_by_raw_write__the_database_refuses() -> None:
    with pytest.raises(IntegrityError), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE igny8_ai_models SET is_default = %s WHERE model_id = 'gpt-4o'", [True]
        )


@pytest.mark.parametrize(
    ("field", "value"),
    [("max_tokens", 0), ("model_type", "video")],
)
def test_row__nonsense_value__the_database_refuses(field: str, value: object) -> None:
    with pytest.raises(IntegrityError):
        AIModel.objects.filter(model_id="gpt-4o").update(**{field: value})


@pytest.mark.parametrize("rate", ["-1", "NaN", "inf", "x", "", None, "1e6", "0.00001", -0.5])
def test_rate__that_the_column_cannot_hold_as_it_is__is_refused(rate: object) -> None:
    with pytest.raises(InvalidRate, match="output_rate is"):
        AIModel.objects.filter(model_id="gpt-4o").update(output_rate=rate)
    assert AIModel.objects.get(model_id="gpt-4o").output_rate == 10


@pytest.mark.parametrize("rate", ["999999.9999", 0, 0.15, Decimal("0.0001"), "1E+2"])
def test_rate__that_the_column_can_hold__is_kept(rate: Any) -> None:
    AIModel.objects.filter(model_id="gpt-4o").update(output_rate=rate)
    assert AIModel.objects.get(model_id="gpt-4o").output_rate == Decimal(str(rate))


def test_update__of_values__writes_the_rows() -> None:
    assert AIModel.objects.filter(model_id="gpt-4o").values("pk").update(sort_order=7) == 1
    assert AIModel.objects.get(model_id="gpt-4o").sort_order == 7


@pytest.mark.parametrize("column", ["input_rate", "output_rate"])
def test_rate__negative_by_raw_write__the_database_refuses(column: str) -> None:
    with pytest.raises(IntegrityError), connection.cursor() as cursor:
        cursor.execute(f"UPDATE igny8_ai_models SET {column} = -1")  # noqa: S608 - our own words


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_default__switched_by_several_at_once__one_is_left() -> None:
    names = ["gpt-4o", "gpt-4.1", "gpt-5.1", "gpt-5.2"]
    barrier = threading.Barrier(len(names))
    faults: list[Exception] = []

    def switch(name: str) -> None:
        try:
            model = AIModel.objects.get(model_id=name)
            barrier.wait(timeout=60)
            model.is_default = True
            model.save()
        except Exception as fault:  # noqa: BLE001 - reported below
            faults.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=switch, args=[name]) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(_defaults()) == 1
